"""Hook points as other libraries name them, in sonde's names."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site, parse_hook_point
from sonde.dictionaries.formats.content import Content, HookPoints
from sonde.models.families import FAMILIES

Named: TypeAlias = tuple[str | None, str | None]  # source and target, as files name them

# TransformerLens' names that only dictionaries use, behind `blocks.<layer>.`.
INSIDE_BLOCKS = {
    "mlp.hook_in": Site.MLP_NORMED,
    "mlp.hook_out": Site.MLP_MODULE_OUT,
    "hook_in": Site.RESID_PRE,
    "hook_out": Site.RESID_POST,
}
# Modules of Hugging Face models, behind the layer; what they return unless `.input` is said. Norms
# are not here: one name means different places in different families.
MODULES = {
    "": Site.RESID_POST,
    "output": Site.RESID_POST,
    "input": Site.RESID_PRE,
    "mlp": Site.MLP_MODULE_OUT,
    "mlp.output": Site.MLP_MODULE_OUT,
    "mlp.input": Site.MLP_NORMED,
    "attn": Site.ATTN_OUT,
    "attention": Site.ATTN_OUT,
    "self_attn": Site.ATTN_OUT,
    "self_attn.o_proj.input": Site.HEAD_OUT,
}
INPUTS = {
    Site.RESID_POST: Site.RESID_PRE,
    Site.MLP_MODULE_OUT: Site.MLP_NORMED,
}
HEADS = "Rows are all heads of a token side by side: [row, n_heads * d_head]."
NO_MORE: Mapping[str, Site] = MappingProxyType({})
_MODULE = re.compile(r"(?:\w+\.)*(?:layers|h|blocks)[._](\d+)(?:\.(.+))?")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Sources and targets in sonde's names; an SAE has no targets.

    ``notes`` says what the names leave open.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """Sources, then targets."""
        return self.sources + self.targets


def hook_point(text: str, more: Mapping[str, Site] = NO_MORE) -> str:
    """Return sonde's name for a hook point, or for the output of a Hugging Face module.

    ``more`` are modules that mean one thing in the family that a format is of.

    Raises:
        SondeError: the name is unknown.
    """
    inside = re.fullmatch(r"blocks\.(\d+)\.(.+)", text)
    if inside and inside[2] in INSIDE_BLOCKS:
        return str(HookPoint(int(inside[1]), INSIDE_BLOCKS[inside[2]]))
    module, known = _MODULE.fullmatch(text), {**MODULES, **more}
    if module and (module[2] or "") in known:
        return str(HookPoint(int(module[1]), known[module[2] or ""]))
    try:
        return str(parse_hook_point(text))
    except SondeError:
        raise SondeError(
            f"The files name the hook point {text!r}, which sonde does not know.",
            fix="Give its place in sonde's names: --source blocks.<layer>.<site>, and --target for "
            f"a transcoder; sites are {', '.join(Site)}.",
        ) from None


def input_of(hook: str) -> str:
    """Return where the module reads whose output a hook point is, as transcoders need it.

    Raises:
        SondeError: that module has no such hook point.
    """
    point = parse_hook_point(hook)
    if point.site not in INPUTS:
        raise SondeError(
            f"What the module of {hook} reads is not one of sonde's hook points.",
            fix="Give it: --source blocks.<layer>.<site>.",
        )
    return str(HookPoint(point.layer, INPUTS[point.site]))


def chosen(
    content: Content,
    given: HookPoints,
    named: Named,
    kind: Literal["SAE", "transcoder", ""] = "",
    more: Mapping[str, Site] = NO_MORE,
) -> Chosen:
    """Return one source and at most one target: what the user gave, else what the files name.

    A target that is the source makes an SAE. ``kind`` is what the files are known to hold.

    Raises:
        SondeError: nothing names the source, or a transcoder's target; several are given, or a
            target for an SAE; or a name is unknown.
    """
    if len(given.sources) > 1 or len(given.targets) > 1:
        raise SondeError(
            f"{content.where} has one source and at most one target, and "
            f"{_times(given)} are given.",
            fix="Give --source once, and --target once for a transcoder.",
        )
    source = given.sources[0] if given.sources else named[0]
    target = given.targets[0] if given.targets else named[1]
    if not source:
        raise SondeError(
            "The files do not say at which hook point the dictionary belongs.",
            fix="Give it: --source blocks.<layer>.<site>, and --target for a transcoder.",
        )
    sources = (hook_point(source, more),)
    targets = (hook_point(target, more),) if target else ()
    _check_kind(content, kind, sources, targets)
    notes = _notes((source, target or ""), sources + targets)
    return Chosen(sources, () if targets == sources else targets, notes)


def chosen_of_layers(
    content: Content, given: HookPoints, layers: int, named: Callable[[int], Named]
) -> Chosen:
    """Return a source and a target of every layer: all as the user gave them, else as files do.

    Raises:
        SondeError: the user gave others than one of each for every layer, or a name is unknown.
    """
    if not given.sources and not given.targets:
        pairs = [named(layer) for layer in range(layers)]
    elif len(given.sources) == len(given.targets) == layers:
        pairs = list(zip(given.sources, given.targets, strict=True))
    else:
        raise SondeError(
            f"{content.where} has {layers} layers, each with a source and a target, and "
            f"{_times(given)} are given.",
            fix="Give --source and --target once for every layer, the first layer first, or "
            "neither.",
        )
    sources = tuple(hook_point(str(source)) for source, _ in pairs)
    targets = tuple(hook_point(str(target)) for _, target in pairs)
    names = tuple(str(name) for pair in pairs for name in pair)
    return Chosen(sources, targets, _notes(names, sources + targets))


def _times(given: HookPoints) -> str:
    sources, targets = len(given.sources), len(given.targets)
    return (
        f"{sources} source{'' if sources == 1 else 's'} and "
        f"{targets} target{'' if targets == 1 else 's'}"
    )


def _check_kind(
    content: Content, kind: str, sources: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    if kind == "transcoder" and targets in ((), sources):
        is_what = "its source is its target" if targets else "its target is not named"
        raise SondeError(
            f"{content.where} is a transcoder, and {is_what}.",
            fix="Give both: --source blocks.<layer>.<site> --target blocks.<layer>.<site>.",
        )
    if kind == "SAE" and targets not in ((), sources):
        raise SondeError(
            f"{content.where} is an SAE, which writes what it reads ({sources[0]}), and the target "
            f"{targets[0]} is given.",
            fix="Leave --target away.",
        )


def _notes(names: tuple[str, ...], hooks: tuple[str, ...]) -> tuple[str, ...]:
    reads_heads = any(parse_hook_point(one).site is Site.HEAD_OUT for one in hooks)
    found = (*map(_before_a_norm, names), HEADS if reads_heads else "")
    return tuple(dict.fromkeys(filter(None, found)))


def _before_a_norm(name: str) -> str:
    """Say where attn_out is something else than what the module returns, if the name is one."""
    module = _MODULE.fullmatch(name)
    path = module[2] if module else None
    normed = [one.name for one in FAMILIES.values() if one.attn == path and one.attn_post_norm]
    if not normed:
        return ""
    families = ", ".join(normed[:-1]) + f" and {normed[-1]}" if normed[1:] else normed[0]
    return (
        f"The module {path} is taken for attn_out, what attention adds to the residual. In "
        f"{families} it is not: there what {path} returns passes a norm first, and sonde has no "
        "hook point before it."
    )
