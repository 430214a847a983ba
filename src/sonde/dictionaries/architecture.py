"""What a dictionary is made of: independent choices, and which of them go together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.sparsity import BatchTopK, Sparsity, TopK

Width = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Reach:
    """The sources that a block of latents reads, and the targets that it writes, as numbers."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]


class Architecture(Config):
    """A dictionary: sources, targets, latents, sparsity, nesting, skip.

    Targets that are not given are the sources: an SAE, or a crosscoder of several. ``cross_layer``:
    every source has ``d_sae`` latents of its own, which write to its own and all later targets.
    ``groups``: sizes of Matryoshka groups, whose sums so far are the prefixes; each prefix is to
    reconstruct alone. ``skip``: an affine way around the latents, from what they read.
    ``centred``: the decoder's bias is taken off what is encoded; None: where sources are targets.
    ``normalise``: each row is brought to one mean and spread (``layer_norm``) or to one norm
    (``constant_norm``) before all else, and what is made of it is brought back where sources are
    targets. Other libraries' dictionaries need it; it cannot be folded into weights.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    targets: tuple[str, ...] = ()
    d_in: Annotated[tuple[Width, ...], Field(min_length=1)]
    d_out: tuple[Width, ...] = ()
    d_sae: Width
    sparsity: Sparsity = TopK()
    groups: tuple[Width, ...] = ()
    skip: bool = False
    cross_layer: bool = False
    centred: bool | None = None
    normalise: Literal["none", "layer_norm", "constant_norm"] = "none"

    @field_validator("sources", "targets")
    @classmethod
    def _hook_points(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        try:
            found = tuple(str(parse_hook_point(one)) for one in given)
        except SondeError as error:
            raise ValueError(str(error)) from None
        if len(set(found)) < len(found):
            raise ValueError(f"a hook point is named twice: {', '.join(found)}")
        return found

    @model_validator(mode="after")
    def _goes_together(self) -> "Architecture":
        for problem in (*self._widths(), *self._counts(), *self._ways()):
            raise ValueError(problem)
        return self

    def _widths(self) -> Sequence[str]:
        if len(self.d_in) != len(self.sources):
            return [f"{len(self.sources)} sources have {len(self.d_in)} widths in `d_in`"]
        if self.is_autoencoder:
            if self.d_out and self.d_out != self.d_in:
                return [
                    f"sources are targets, with widths {list(self.d_in)} in and "
                    f"{list(self.d_out)} out: leave `d_out` away, or name the targets of a "
                    "transcoder"
                ]
        elif len(self.d_out) != len(self.targets):
            return [f"{len(self.targets)} targets have {len(self.d_out)} widths in `d_out`"]
        return []

    def _counts(self) -> Sequence[str]:
        if isinstance(self.sparsity, TopK | BatchTopK) and self.sparsity.k > self.d_sae:
            return [f"k is {self.sparsity.k}, and there are {self.d_sae} latents"]
        if self.groups and sum(self.groups) != self.d_sae:
            sums = ", ".join(f"{one:,}" for one in self.prefixes)
            return [
                f"the groups add up to {sum(self.groups):,} (prefixes {sums}), and there are "
                f"{self.d_sae:,} latents"
            ]
        return []

    def _ways(self) -> Sequence[str]:
        if self.skip and self.is_autoencoder:
            return ["`skip` would copy the input of an SAE; it is for transcoders"]
        if self.centred and not self.is_autoencoder:
            return ["`centred` takes a target's bias off a source; it is for SAEs and crosscoders"]
        if self.cross_layer and len(self.outputs) != len(self.sources):
            return [
                f"`cross_layer` pairs sources with targets: {len(self.sources)} and "
                f"{len(self.outputs)} are given"
            ]
        if self.cross_layer and len(self.sources) < 2:
            return ["`cross_layer` needs several sources"]
        return []

    @property
    def is_autoencoder(self) -> bool:
        """Whether the targets are the sources."""
        return not self.targets or self.targets == self.sources

    @property
    def outputs(self) -> tuple[str, ...]:
        """The targets, the sources where none are named."""
        return self.targets or self.sources

    @property
    def widths_out(self) -> tuple[int, ...]:
        """The width of each target."""
        return self.d_out or self.d_in

    @property
    def takes_bias_off(self) -> bool:
        """Whether the decoder's bias is taken off what is encoded."""
        return self.is_autoencoder if self.centred is None else self.centred

    @property
    def prefixes(self) -> tuple[int, ...]:
        """How many latents each nested dictionary has, the whole last."""
        return tuple(accumulate(self.groups)) or (self.d_sae,)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """The blocks of latents: one that reads and writes all, or one a source."""
        n, m = len(self.sources), len(self.outputs)
        if not self.cross_layer:
            return (Reach(tuple(range(n)), tuple(range(m))),)
        return tuple(Reach((one,), tuple(range(one, m))) for one in range(n))

    @property
    def name(self) -> str:
        """What the field calls it."""
        if self.cross_layer:
            what = "cross-layer transcoder"
        elif self.is_autoencoder:
            what = "SAE" if len(self.sources) == 1 else "crosscoder"
        else:
            what = "transcoder"
        said = f"skip {what}" if self.skip else what
        return f"Matryoshka {said}" if self.groups else said
