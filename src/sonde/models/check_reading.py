"""Checks that what is read at each site is what the site's name says."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from sonde.core.hooks import HookPoint, Site, resolve_layers
from sonde.models.batch import pad_batch
from sonde.models.evidence import Evidence, Finding, relative_error, sum_error, worst
from sonde.models.forward import forward
from sonde.models.hooking import with_gain


def check_sums(evidence: Evidence) -> Iterator[Finding]:
    """What is added to the residual, added to it, gives the residual further on."""
    sums: tuple[tuple[tuple[Site, ...], Site, tuple[Site, ...]], ...] = (
        ((Site.RESID_PRE, Site.ATTN_OUT), Site.RESID_MID, (Site.ATTN_OUT, Site.RESID_MID)),
        ((Site.RESID_MID, Site.MLP_OUT), Site.RESID_POST, (Site.RESID_MID, Site.MLP_OUT)),
    )
    if evidence.model.family.parallel:
        added = (Site.ATTN_OUT, Site.MLP_OUT)
        sums = (((Site.RESID_PRE, *added), Site.RESID_POST, added),)
    for terms, total, sites in sums:
        errors = [
            sum_error([evidence(layer, site) for site in terms], evidence(layer, total))
            for layer in range(evidence.model.info.n_layers)
        ]
        yield _agreement(
            f"{' + '.join(terms)} = {total}",
            worst(torch.tensor(errors)),
            4 * evidence.eps,
            sites,
            "coordinate by coordinate, relative to the terms",
        )


def check_hidden_states(evidence: Evidence) -> Iterator[Finding]:
    """Captures are the library's hidden states, whose last entry is after the final norm."""
    model = evidence.model
    with torch.no_grad():
        out = model.decoder(
            input_ids=evidence.batch.ids, use_cache=False, output_hidden_states=True
        )
    last = model.info.n_layers - 1
    hidden = [evidence.tokens.take(state) for state in out.hidden_states]
    errors = [relative_error(evidence(0, Site.RESID_PRE), hidden[0])]
    errors += [
        relative_error(evidence(layer, Site.RESID_POST), hidden[layer + 1]) for layer in range(last)
    ]
    errors += [
        relative_error(evidence(layer + 1, Site.RESID_PRE), evidence(layer, Site.RESID_POST))
        for layer in range(last)
    ]
    residual = (Site.RESID_PRE, Site.RESID_POST)
    yield _agreement(
        "captures are output_hidden_states",
        worst(torch.cat([error.cpu() for error in errors])),
        evidence.tolerance,
        residual,
        f"of {len(errors)} comparisons",
    )
    final = final_norm(model.decoder, model.blocks)
    with torch.no_grad():
        normed = final(evidence(last, Site.RESID_POST))
    yield _agreement(
        "the last hidden state is resid_post after the final norm",
        worst(relative_error(normed, hidden[-1])),
        evidence.tolerance,
        (Site.RESID_POST,),
        f"at block {last}",
    )


def final_norm(decoder: nn.Module, blocks: nn.ModuleList) -> nn.Module:
    """Return the norm that follows the blocks: the decoder's only child that is a norm."""
    (norm,) = (
        child
        for name, child in decoder.named_children()
        if child is not blocks and ("norm" in name or name.startswith("ln"))
    )
    return norm


def check_padding(evidence: Evidence) -> Iterator[Finding]:
    """A prompt's activations don't depend on the padding or on the prompts beside it."""
    model = evidence.model
    hooks = model.hook_points("resid_post", "auto")
    alone: dict[HookPoint, list[Tensor]] = {hook: [] for hook in hooks}
    for prompt in evidence.prompts:
        batch = pad_batch([prompt], device=model.device)
        for hook, found in forward(model, batch, capture=hooks).activations.items():
            alone[hook].append(found[0])
    errors = torch.cat(
        [relative_error(evidence.at[hook], torch.cat(alone[hook])).cpu() for hook in hooks]
    )
    # Where a router chooses experts, a rounding can tip a token to another expert; padding that
    # leaks would move most tokens.
    routed = hasattr(model.hf.config.get_text_config(), "num_local_experts")
    yield _agreement(
        "a padded batch gives what each prompt gives alone",
        float(errors.median()) if routed else worst(errors),
        evidence.tolerance,
        model.family.sites,
        "the median token, since routing may tip" if routed else "the worst token",
    )


def check_early_exit(evidence: Evidence) -> Iterator[Finding]:
    """Stopping at a hook point gives what the whole pass gives there."""
    model = evidence.model
    shallow, middle = min(1, model.info.n_layers - 1), model.info.n_layers // 2
    # Every site near the start, where a pass is short, and one where the rest is worth sparing.
    hooks = [HookPoint(shallow, site) for site in model.family.sites]
    errors = []
    for hook in (*hooks, HookPoint(middle, Site.RESID_POST)):
        stopped = forward(model, evidence.batch, capture=[hook], gather=evidence.tokens)
        found = stopped.activations[hook].flatten(1)
        errors.append(worst(relative_error(found, evidence(hook.layer, hook.site))))
    yield _agreement(
        "stopping early gives what the whole pass gives",
        worst(torch.tensor(errors)),
        evidence.tolerance,
        model.family.sites,
        f"at every site of block {shallow}, and after block {middle}",
    )


def check_heads(evidence: Evidence) -> Iterator[Finding]:
    """The heads' outputs, put through the output projection, give what attention adds."""
    model, family = evidence.model, evidence.model.family

    def attention(layer: int) -> Tensor:
        made = model.module(layer, family.attn_projection)(evidence(layer, Site.HEAD_OUT))
        post = family.attn_post_norm
        return made if post is None else model.module(layer, post)(made)

    yield _recomputed(
        evidence,
        "head_out through the output projection is attn_out",
        attention,
        Site.ATTN_OUT,
        (Site.HEAD_OUT, Site.ATTN_OUT),
    )


def check_mlp(evidence: Evidence) -> Iterator[Finding]:
    """What the MLP receives, put through it, gives what it returns and adds."""
    model, family = evidence.model, evidence.model.family
    yield _recomputed(
        evidence,
        "mlp_normed through the MLP is mlp_module_out",
        lambda layer: model.module(layer, family.mlp)(evidence(layer, Site.MLP_NORMED)[None])[0],
        Site.MLP_MODULE_OUT,
        (Site.MLP_NORMED, Site.MLP_MODULE_OUT),
    )
    post = family.mlp_post_norm
    if post is not None:
        yield _recomputed(
            evidence,
            "mlp_module_out through the post-norm is mlp_out",
            lambda layer: model.module(layer, post)(evidence(layer, Site.MLP_MODULE_OUT)),
            Site.MLP_OUT,
            (Site.MLP_MODULE_OUT, Site.MLP_OUT),
        )


def check_gain(evidence: Evidence) -> Iterator[Finding]:
    """The norm's output without its gain, times the gain, is what the MLP receives."""
    model, family = evidence.model, evidence.model.family
    if family.mlp_norm is None:
        return
    norm = family.mlp_norm
    yield _recomputed(
        evidence,
        "mlp_normed_ungained times the gain is mlp_normed",
        lambda layer: with_gain(
            model.module(layer, norm),
            evidence(layer, Site.MLP_NORMED_UNGAINED),
            family.neutral_gain,
        ),
        Site.MLP_NORMED,
        (Site.MLP_NORMED_UNGAINED,),
    )


def _recomputed(
    evidence: Evidence,
    name: str,
    compute: Callable[[int], Tensor],
    site: Site,
    sites: tuple[Site, ...],
) -> Finding:
    """Compare a site at the layers ``auto`` with what ``compute`` makes of another site there."""
    layers = resolve_layers("auto", evidence.model.info.n_layers)
    with torch.no_grad():
        errors = [worst(relative_error(compute(n), evidence(n, site))) for n in layers]
    where = f"at blocks {', '.join(map(str, layers))}"
    return _agreement(name, worst(torch.tensor(errors)), evidence.tolerance, sites, where)


def _agreement(
    name: str, error: float, tolerance: float, sites: tuple[Site, ...], where: str
) -> Finding:
    return Finding(
        name=name,
        passed=error <= tolerance,
        detail=f"error {error:.1e}, at most {tolerance:.1e} allowed ({where})",
        sites=sites,
        numbers={"error": error, "tolerance": tolerance},
    )
