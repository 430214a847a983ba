"""Hook points as other libraries name them, in sonde's names."""

import re

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site, parse_hook_point
from sonde.dictionaries.formats.content import HookPoints

# TransformerLens' names that only dictionaries use, behind `blocks.<layer>.`.
INSIDE_BLOCKS = {
    "mlp.hook_in": Site.MLP_NORMED,
    "mlp.hook_out": Site.MLP_MODULE_OUT,
    "hook_in": Site.RESID_PRE,
    "hook_out": Site.RESID_POST,
}
# Modules of Hugging Face models, behind the layer; what they return unless `.input` is said.
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
    "pre_feedforward_layernorm.output": Site.MLP_NORMED,
    "post_feedforward_layernorm.output": Site.MLP_OUT,
    "post_attention_layernorm.output": Site.ATTN_OUT,
}
INPUTS = {
    Site.RESID_POST: Site.RESID_PRE,
    Site.MLP_MODULE_OUT: Site.MLP_NORMED,
}
_MODULE = re.compile(r"(?:\w+\.)*(?:layers|h|blocks)[._](\d+)(?:\.(.+))?")


def hook_point(text: str) -> str:
    """Return sonde's name for a hook point, or for the output of a Hugging Face module.

    Raises:
        SondeError: the name is unknown.
    """
    inside = re.fullmatch(r"blocks\.(\d+)\.(.+)", text)
    if inside and inside[2] in INSIDE_BLOCKS:
        return str(HookPoint(int(inside[1]), INSIDE_BLOCKS[inside[2]]))
    module = _MODULE.fullmatch(text)
    if module and (module[2] or "") in MODULES:
        return str(HookPoint(int(module[1]), MODULES[module[2] or ""]))
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
    given: HookPoints, source: str | None, target: str | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return sources and targets: what the user gave, else what the files name.

    Raises:
        SondeError: nothing names the source, or a name is unknown.
    """
    if not given.sources and not source:
        raise SondeError(
            "The files do not say at which hook point the dictionary belongs.",
            fix="Give it: --source blocks.<layer>.<site>, and --target for a transcoder.",
        )
    sources = given.sources or (hook_point(source or ""),)
    targets = given.targets or ((hook_point(target),) if target else ())
    return tuple(hook_point(one) for one in sources), tuple(hook_point(one) for one in targets)
