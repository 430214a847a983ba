"""What a dictionary may have been meant to be fed instead: other places, scales, rows, biases."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.hooks import FORWARD_ORDER, HookPoint, Site
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.evals.arms import hooks_of
from sonde.models.model import Model

LAYERS = tuple(sorted((by for by in range(-6, 7) if by), key=abs))  # nearest first
POWERS = range(-8, 9)
Rows = Mapping[HookPoint, Float[Tensor, "row _"]]
Change = Callable[[Float[Tensor, "row d"]], Float[Tensor, "row d"]]
# What the MLP returns is what is added where there is no post-norm: the usual name comes first.
_SITES = (*(site for site in reversed(FORWARD_ORDER) if site is not Site.HEAD_OUT),)
PLACE, SCALE, ROWS, BIAS = "place", "scale", "rows", "bias"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to feed a dictionary, in words; ``kind`` is which convention it changes."""

    kind: str
    words: str
    sources: tuple[HookPoint, ...]
    targets: tuple[HookPoint, ...]
    change_in: Change | None = None
    change_out: Change | None = None
    centred: bool | None = None  # None: as the dictionary says

    def rows(self, found: Rows) -> tuple[list[Tensor], list[Tensor]]:
        """Return sources and targets as the variant has them."""
        return (
            [_changed(found[hook], self.change_in) for hook in self.sources],
            [_changed(found[hook], self.change_out) for hook in self.targets],
        )


def named_variant(architecture: Architecture) -> Variant:
    """Return what the dictionary itself says."""
    sources, targets = hooks_of(architecture)
    said = ", ".join(map(str, sources))
    if not architecture.is_autoencoder:
        said += f" to {', '.join(map(str, targets))}"
    return Variant("named", said, tuple(sources), tuple(targets))


def other_places(model: Model, architecture: Architecture) -> tuple[Variant, ...]:
    """Return the neighbouring layers, and the other sites of a block, one change at a time."""
    named = named_variant(architecture)
    found: dict[tuple[tuple[HookPoint, ...], tuple[HookPoint, ...]], Variant] = {}
    for sources, targets in _moved(model, named, same=architecture.is_autoencoder):
        key = sources, targets
        if key == (named.sources, named.targets) or key in found:
            continue
        if all(_is_there(model, hook) for hook in (*sources, *targets)):
            said = ", ".join(map(str, sources))
            if not architecture.is_autoencoder:
                said += f" to {', '.join(map(str, targets))}"
            found[key] = Variant(PLACE, said, *key)
    return tuple(found.values())


def _moved(
    model: Model, named: Variant, *, same: bool
) -> Iterator[tuple[tuple[HookPoint, ...], tuple[HookPoint, ...]]]:
    for by in LAYERS:
        yield _layers(named.sources, by), _layers(named.targets, by)
    for site in _SITES:
        if site not in model.family.sites:
            continue
        other = _sites(named.sources, site)
        if same:
            yield other, other
            continue
        yield other, named.targets
        yield named.sources, _sites(named.targets, site)


def _layers(hooks: Sequence[HookPoint], by: int) -> tuple[HookPoint, ...]:
    return tuple(replace(hook, layer=hook.layer + by) for hook in hooks)


def _sites(hooks: Sequence[HookPoint], site: Site) -> tuple[HookPoint, ...]:
    return tuple(replace(hook, site=site) for hook in hooks)


def _is_there(model: Model, hook: HookPoint) -> bool:
    there = 0 <= hook.layer < model.info.n_layers and hook.site in model.family.sites
    return there and hook.site not in model.refused and hook.site is not Site.HEAD_OUT


def other_scales(architecture: Architecture, found: Rows) -> tuple[Variant, ...]:
    """Return scales of the rows: known conventions, and powers of two either way.

    Those of an autoencoder scale what is read and what is written alike; a transcoder's scale one
    or the other, or both.
    """
    named = named_variant(architecture)
    x = found[named.sources[0]]
    d, norm = x.shape[1], float(x.norm(dim=1).mean())
    known = {
        math.sqrt(d) / norm: "times {0:.4g}, which brings their mean norm to sqrt(d)",
        1 / norm: "times {0:.4g}, which brings their mean norm to 1",
        math.sqrt(d): "times sqrt(d) = {0:.4g}",
        1 / math.sqrt(d): "divided by sqrt(d), times {0:.4g}",
    }
    known |= {2.0**power: "times {0:g}" for power in POWERS if power}
    variants: list[Variant] = []
    for factor, words in known.items():
        said, by = words.format(factor), _times(factor)
        if architecture.is_autoencoder:
            variants.append(replace(named, kind=SCALE, words=said, change_in=by, change_out=by))
            continue
        variants += [
            replace(named, kind=SCALE, words=f"what is read {said}", change_in=by),
            replace(named, kind=SCALE, words=f"what is written {said}", change_out=by),
            replace(named, kind=SCALE, words=f"both {said}", change_in=by, change_out=by),
        ]
    return tuple(variants)


def other_rows(architecture: Architecture) -> tuple[Variant, ...]:
    """Return normalisations of each row, and the other way with the decoder's bias."""
    named = named_variant(architecture)
    changes: dict[str, Change] = {
        "each row scaled to norm 1": lambda x: x / _norm(x),
        "each row scaled to norm sqrt(d)": lambda x: x * (math.sqrt(x.shape[1]) / _norm(x)),
        "each row less the mean of its coordinates": lambda x: x - x.mean(dim=1, keepdim=True),
        "each row brought to mean 0 and variance 1": _layer_norm,
    }
    found: list[Variant] = []
    for words, change in changes.items():
        out = change if architecture.is_autoencoder else None
        found.append(replace(named, kind=ROWS, words=words, change_in=change, change_out=out))
    if architecture.is_autoencoder:
        off = not architecture.takes_bias_off
        words = f"the decoder's bias {'' if off else 'not '}taken off before encoding"
        found.append(replace(named, kind=BIAS, words=words, centred=off))
    return tuple(found)


def as_variant(dictionary: Dictionary, variant: Variant) -> Dictionary:
    """Return the dictionary as a variant has it; weights are shared where they can be."""
    if variant.centred is None:
        return dictionary
    changed = dictionary.architecture.model_copy(update={"centred": variant.centred})
    made = Dictionary(changed).to(dictionary.bias[0])
    made.load_state_dict(dictionary.state_dict())
    return made.eval()


def _times(factor: float) -> Change:
    return lambda x: x * factor


def _changed(x: Tensor, change: Change | None) -> Tensor:
    return x if change is None else change(x)


def _norm(x: Float[Tensor, "row d"]) -> Float[Tensor, "row 1"]:
    return x.norm(dim=1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


def _layer_norm(x: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
    return torch.nn.functional.layer_norm(x, x.shape[1:])
