"""Names of hook points for one loaded model: sites, TransformerLens names, module paths."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import (
    HookPoint,
    LayerSpec,
    Site,
    parse_hook_point,
    parse_site,
    resolve_layers,
)
from sonde.models.families import Family

if TYPE_CHECKING:
    from sonde.models.model import Model

# What may stand before the blocks in a module path. A wrapped text model is found under each of
# the names it has had: model.language_model.layers, language_model.model.layers, model.layers.
_PREFIXES = frozenset({"model", "language_model", "text_model", "base_model", "decoder"})


def resolve_hook_points(
    model: "Model", hooks: str | HookPoint | Sequence[str | HookPoint], layers: LayerSpec
) -> tuple[HookPoint, ...]:
    """Resolve names to hook points that the model has, in the order of the forward pass.

    Raises:
        SondeError: a name is unknown, a layer lies outside the model, the model lacks a site, or
            ``layers`` was given and no name is a site.
    """
    names = (hooks,) if isinstance(hooks, str | HookPoint) else tuple(hooks)
    if not names:
        raise SondeError("No hook points were given.", fix="Write resid_post, for example.")
    found = [_resolve(model, name) for name in names]
    if not (isinstance(layers, str) and layers == "all") and not any(
        isinstance(item, Site) for item in found
    ):
        raise SondeError(
            f"layers={layers!r} has no effect: {', '.join(map(str, names))} name their layers.",
            fix="Give sites with layers, or hook points alone.",
        )
    at = resolve_layers(layers, model.info.n_layers)
    points = {point for item in found for point in _expand(item, at)}
    return tuple(sorted((check_hook_point(model, p) for p in points), key=lambda p: p.depth))


def check_hook_point(model: "Model", hook: HookPoint) -> HookPoint:
    """Return the hook point if the model has it.

    Raises:
        SondeError: the layer lies outside the model, the family lacks the site, or the site
            failed the self-check.
    """
    if not 0 <= hook.layer < model.info.n_layers:
        raise SondeError(
            f"{hook} is outside {model.info.name}, which has {model.info.n_layers} blocks.",
            fix=f"Blocks are 0 to {model.info.n_layers - 1}.",
        )
    model.family.place(hook.site)
    if hook.site in model.refused:
        raise SondeError(
            f"{hook} is refused: {hook.site} failed the self-check of {model.info.name} "
            f"({model.refused[hook.site]}).",
            fix="`sonde doctor` shows the checks.",
        )
    return hook


def _expand(item: Site | HookPoint, layers: Iterable[int]) -> list[HookPoint]:
    if isinstance(item, HookPoint):
        return [item]
    return [HookPoint(layer, item) for layer in layers]


def _resolve(model: "Model", name: str | HookPoint) -> Site | HookPoint:
    if isinstance(name, HookPoint):
        return name
    if name.startswith("blocks."):
        return parse_hook_point(name)
    path = re.fullmatch(r"((?:\w+\.)+?)(\d+)(?:\.(.+))?", name)
    if path is None:
        return parse_site(name)
    _check_prefix(model, name, path[1].rstrip("."))
    return HookPoint(int(path[2]), site_of_module(model.family, path[3] or "", name))


def _check_prefix(model: "Model", name: str, prefix: str) -> None:
    """Refuse a path whose part before the layer does not lead to this model's blocks."""
    own = _path_of_blocks(model)
    *outer, last = prefix.split(".")
    if last != model.family.blocks or not set(outer) <= _PREFIXES | set(own.split(".")):
        raise SondeError(
            f"{name!r} is not a module of {model.info.name}.",
            fix=f"Its blocks are {own}.0 to {own}.{model.info.n_layers - 1}.",
        )


def _path_of_blocks(model: "Model") -> str:
    blocks = model.blocks
    return next(path for path, module in model.hf.named_modules() if module is blocks)


def site_of_module(family: Family, path: str, given: str) -> Site:
    """Return the site that a module's output is; ``path`` is inside the block, ``""`` the block.

    Raises:
        SondeError: what the module returns is no site; the error says what to ask for.
    """
    # Without a post-norm the MLP's own path is both mlp_out and mlp_module_out: the latter wins.
    outputs = {
        family.place(site).module: site
        for site in (Site.RESID_POST, Site.ATTN_OUT, Site.MLP_OUT, Site.MLP_MODULE_OUT)
    }
    if family.mlp_norm is not None:
        outputs[family.mlp_norm] = Site.MLP_NORMED
    if path in outputs:
        return outputs[path]
    if path == family.attn:
        raise SondeError(
            f"{given!r} is no hook point: in {family.name} what it returns passes through "
            f"{family.attn_post_norm} before it is added to the residual.",
            fix="Ask for attn_out, which is what is added, or head_out, which goes into the "
            "attention's output projection.",
        )
    if path == family.attn_projection:
        raise SondeError(
            f"{given!r} could mean what goes into the projection or what comes out.",
            fix="Ask for head_out (what goes in, by head) or attn_out (what is added to the "
            "residual).",
        )
    known = [module for module in outputs if module]
    raise SondeError(
        f"{given!r} is no hook point of {family.name}.{nearest(path, known)}",
        fix=f"Modules inside a block that are hook points: {', '.join(known)}; the block itself "
        f"is resid_post. Sites are {', '.join(family.sites)}.",
    )
