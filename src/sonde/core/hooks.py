"""Hook points: the names of places in a model, and the layers a user may ask for.

Parsing here knows the names that need no model: ``blocks.<layer>.<site>`` and TransformerLens'
names. Hugging Face module paths mean different things in different families, so a loaded model
resolves them (``sonde.models.sites``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor

from sonde.core.errors import SondeError, nearest


class Site(StrEnum):
    """A place inside a block. ``docs/reference/hook-points.md`` says what each one means."""

    RESID_PRE = "resid_pre"
    RESID_MID = "resid_mid"
    RESID_POST = "resid_post"
    ATTN_OUT = "attn_out"
    MLP_OUT = "mlp_out"
    MLP_NORMED = "mlp_normed"
    MLP_NORMED_UNGAINED = "mlp_normed_ungained"
    MLP_MODULE_OUT = "mlp_module_out"
    HEAD_OUT = "head_out"


# Where two sites lie in one block, the later one decides how far a forward pass must run.
FORWARD_ORDER: tuple[Site, ...] = (
    Site.RESID_PRE,
    Site.HEAD_OUT,
    Site.ATTN_OUT,
    Site.RESID_MID,
    Site.MLP_NORMED_UNGAINED,
    Site.MLP_NORMED,
    Site.MLP_MODULE_OUT,
    Site.MLP_OUT,
    Site.RESID_POST,
)

TRANSFORMER_LENS_NAMES: dict[str, Site] = {
    "hook_resid_pre": Site.RESID_PRE,
    "hook_resid_mid": Site.RESID_MID,
    "hook_mlp_in": Site.RESID_MID,
    "hook_resid_post": Site.RESID_POST,
    "hook_attn_out": Site.ATTN_OUT,
    "hook_mlp_out": Site.MLP_OUT,
    "ln2.hook_normalized": Site.MLP_NORMED_UNGAINED,
    "attn.hook_z": Site.HEAD_OUT,
    "hook_z": Site.HEAD_OUT,
}


@dataclass(frozen=True, slots=True, order=True)
class HookPoint:
    """A place whose activations can be read or edited."""

    layer: int
    site: Site

    def __str__(self) -> str:
        return f"blocks.{self.layer}.{self.site}"

    @property
    def depth(self) -> tuple[int, int]:
        """Sort key: how far into a forward pass this hook point lies."""
        return self.layer, FORWARD_ORDER.index(self.site)


def parse_site(text: str) -> Site:
    """Read a site, or TransformerLens' name for it.

    Raises:
        SondeError: the name is unknown.
    """
    alias = TRANSFORMER_LENS_NAMES.get(text)
    if alias is not None:
        return alias
    try:
        return Site(text)
    except ValueError:
        raise SondeError(
            f"{text!r} is not a site.{nearest(text, [*Site, *TRANSFORMER_LENS_NAMES])}",
            fix=f"Sites are {', '.join(Site)}.",
        ) from None


def parse_hook_point(text: str) -> HookPoint:
    """Read ``blocks.<layer>.<site>``, with TransformerLens' site names accepted.

    Raises:
        SondeError: the text is not a hook point, or its site is unknown.
    """
    match = re.fullmatch(r"blocks\.([0-9]+)\.(.+)", text)
    if match is None:
        raise SondeError(
            f"{text!r} is not a hook point.",
            fix=f"Write blocks.<layer>.<site>; sites are {', '.join(Site)}.",
        )
    return HookPoint(int(match[1]), parse_site(match[2]))


LayerSpec = int | float | str | Sequence[int | float]


def resolve_layers(spec: LayerSpec, n_layers: int) -> tuple[int, ...]:
    """Turn a request for layers into sorted 0-based block indices without repeats.

    An int is a block (negative counts from the end), a fraction ``f`` in (0, 1) is block
    ``floor(f * n_layers)``, ``"all"`` is every block, ``"auto"`` is the first, quarter, middle,
    three-quarters and last block, ``"a:b"`` is a Python range; a sequence is the union.

    Raises:
        SondeError: a layer lies outside the model, or the request cannot be read.
    """
    if isinstance(spec, str):
        return _layers_from_text(spec, n_layers)
    if isinstance(spec, int | float):
        return (_one_layer(spec, n_layers),)
    if not spec:
        raise SondeError("No layers were given.", fix="Write all, auto, a number or a list.")
    return tuple(sorted({_one_layer(item, n_layers) for item in spec}))


def _layers_from_text(spec: str, n_layers: int) -> tuple[int, ...]:
    text = spec.strip()
    if text == "all":
        return tuple(range(n_layers))
    if text == "auto":
        quarters = (floor(n_layers * quarter / 4) for quarter in range(4))
        return tuple(sorted({*quarters, n_layers - 1}))
    if re.fullmatch(r"-?\d+", text):
        return (_one_layer(int(text), n_layers),)
    if re.fullmatch(r"0?\.\d+", text):
        return (_one_layer(float(text), n_layers),)
    span = re.fullmatch(r"(-?\d*):(-?\d*)(?::(\d+))?", text)
    if span is not None and span[3] != "0":
        start, stop, step = (int(part) if part else None for part in span.groups())
        chosen = tuple(range(n_layers)[slice(start, stop, step)])
        if chosen:
            return chosen
        raise SondeError(
            f"layers {spec!r} selects none of the model's {n_layers} blocks.",
            fix=f"Blocks are 0 to {n_layers - 1}.",
        )
    raise SondeError(
        f"layers {spec!r} cannot be read.{nearest(text, ['all', 'auto'])}",
        fix="Write all, auto, a block such as 12, a fraction such as 0.5, a range such as 4:20, "
        "or a list of blocks.",
    )


def _one_layer(item: int | float, n_layers: int) -> int:
    if isinstance(item, bool):
        raise SondeError(f"layer {item} is not a number.", fix="Write a block such as 12, or all.")
    if isinstance(item, float):
        if not 0 < item < 1:
            raise SondeError(
                f"layer {item} is neither a block index nor a fraction of the depth.",
                fix="A fraction lies between 0 and 1; write 12, not 12.0, for block 12.",
            )
        # 0.29 * 100 is 28.999999999999996 in binary, and block 29 was meant.
        return floor(item * n_layers + 1e-9)
    if not -n_layers <= item < n_layers:
        raise SondeError(
            f"layer {item} is outside the model, which has {n_layers} blocks.",
            fix=f"Blocks are 0 to {n_layers - 1}.",
        )
    return item % n_layers
