"""Checks that an edit at each site changes what it says and reaches the residual stream."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from sonde.core.edits import Add, Scope
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import Pool
from sonde.models.batch import pad_batch
from sonde.models.evidence import Evidence, Finding, relative_error, sum_error, worst
from sonde.models.forward import forward
from sonde.models.gather import Gather
from sonde.models.hooking import with_gain
from sonde.models.model import Model


def check_edits(evidence: Evidence) -> Iterator[Finding]:
    """Add a vector at one token of one prompt at each site, and follow it into the residual.

    With the edit in place the captured site must have moved by the vector, the sums of the
    residual must hold with the edited parts (so the branch that skips the MLP carries the edit
    too), the next block must receive the result, and no earlier token may change.
    """
    model = evidence.model
    prompt = min(evidence.prompts, key=len)
    layer = max(0, min(model.info.n_layers // 2, model.info.n_layers - 2))
    plain = _capture(model, prompt, layer, ())
    for site in model.family.sites:
        hook = HookPoint(layer, site)
        before = plain[hook]
        token = before.shape[0] // 2
        noise = torch.randn(before.shape[1], generator=torch.Generator().manual_seed(layer))
        vector = noise / noise.norm() * before[token].float().norm().cpu()
        reached = torch.zeros(1, before.shape[0], dtype=torch.bool)
        reached[0, token] = True
        edit = Add(hook, vector, scope=Scope(tokens=reached))
        yield _follow(evidence, edit, token, plain, _capture(model, prompt, layer, (edit,)))


def _capture(
    model: Model, prompt: tuple[int, ...], layer: int, edits: tuple[Add, ...]
) -> Mapping[HookPoint, Tensor]:
    hooks = [HookPoint(layer, site) for site in model.family.sites]
    if layer + 1 < model.info.n_layers:
        hooks.append(HookPoint(layer + 1, Site.RESID_PRE))
    every = Gather.build([(0, range(len(prompt)), Pool.EACH)], device=model.device)
    batch = pad_batch([prompt], device=model.device)
    found = forward(model, batch, capture=hooks, gather=every, edits=edits).activations
    return {hook: tensor.flatten(1) for hook, tensor in found.items()}


def _follow(
    evidence: Evidence,
    edit: Add,
    token: int,
    plain: Mapping[HookPoint, Tensor],
    edited: Mapping[HookPoint, Tensor],
) -> Finding:
    layer, site = edit.hook.layer, edit.hook.site
    post = HookPoint(layer, Site.RESID_POST)
    injected = torch.zeros_like(plain[edit.hook])
    injected[token] = edit.vector.to(injected)
    allowed = 4 * evidence.eps
    errors = {"moved by the vector": sum_error([plain[edit.hook], injected], edited[edit.hook])}
    without = _sums(evidence, edit.hook, plain, torch.zeros_like(injected))
    for name, error in _sums(evidence, edit.hook, edited, injected).items():
        if without[name] <= allowed:  # else the sum itself is wrong, which is another check's find
            errors[name] = error
    if site is Site.MLP_NORMED_UNGAINED:
        normed = edited[HookPoint(layer, Site.MLP_NORMED)]
        family = evidence.model.family
        norm = evidence.model.module(layer, family.place(site).module)
        with torch.no_grad():
            gained = with_gain(norm, edited[edit.hook], family.neutral_gain)
        errors["gained"] = worst(relative_error(normed, gained))
    after = HookPoint(layer + 1, Site.RESID_PRE)
    if after in edited:
        errors["handed on"] = worst(relative_error(edited[after], edited[post]))
    wrong = [name for name, error in errors.items() if not error <= allowed]
    if torch.equal(plain[post][token], edited[post][token]):
        wrong.append("the residual did not change")
    if not worst(relative_error(edited[post][:token], plain[post][:token])) <= evidence.tolerance:
        wrong.append("earlier tokens changed")
    largest = worst(torch.tensor(list(errors.values())))
    return Finding(
        name=f"an edit at {site} reaches the residual",
        passed=not wrong,
        detail=f"error {largest:.1e}, at most {allowed:.1e} allowed (block {layer})"
        + (f"; failed: {', '.join(wrong)}" if wrong else ""),
        sites=(site,),
        numbers={"error": largest, "tolerance": allowed},
    )


def _sums(
    evidence: Evidence, hook: HookPoint, edited: Mapping[HookPoint, Tensor], injected: Tensor
) -> dict[str, float]:
    """Return the errors of the residual's sums, where an edited sum has the vector as a term."""

    def error(terms: tuple[Site, ...], total: Site) -> float:
        parts = [edited[HookPoint(hook.layer, term)] for term in terms]
        if hook.site is total:
            parts.append(injected)
        return sum_error(parts, edited[HookPoint(hook.layer, total)])

    if evidence.model.family.parallel:
        parallel = (Site.RESID_PRE, Site.ATTN_OUT, Site.MLP_OUT)
        return {"sum of the block": error(parallel, Site.RESID_POST)}
    return {
        "sum after attention": error((Site.RESID_PRE, Site.ATTN_OUT), Site.RESID_MID),
        "sum after the MLP": error((Site.RESID_MID, Site.MLP_OUT), Site.RESID_POST),
    }
