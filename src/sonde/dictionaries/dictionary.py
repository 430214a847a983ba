"""A dictionary: SAE, transcoder, crosscoder or cross-layer transcoder, by one architecture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonde.core.errors import SondeError
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.block import Block
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.normalising import row_scale
from sonde.dictionaries.parallel.share import WHOLE, Share


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """What a dictionary makes of activations: latents by block, and every target.

    ``prefixes`` holds, for each target, what each nested dictionary makes of it, the whole last.
    """

    latents: tuple[Latents, ...]
    targets: tuple[Float[Tensor, "row _"], ...]
    prefixes: tuple[Float[Tensor, "prefix row _"], ...]


class Dictionary(nn.Module):
    """Encoder and decoder with sparse latents.

    ``target = skip(source) + bias + sum over latents of activation times decoder row``; what is
    encoded is the source, less the decoder's bias where the architecture is centred. All tensors
    of rows are ``[row, width]``, one for each source and target, in the architecture's order.
    """

    def __init__(self, architecture: Architecture, share: Share = WHOLE) -> None:
        super().__init__()
        self.architecture = architecture
        self.share = share
        widths_in, widths_out = architecture.d_in, architecture.widths_out
        self.blocks = nn.ModuleList(
            Block(
                sum(widths_in[one] for one in reach.sources),
                sum(widths_out[one] for one in reach.targets),
                share.n_latents(architecture.d_sae),
                architecture.sparsity,
                share,
            )
            for reach in architecture.reaches
        )
        self.bias = nn.ParameterList(torch.zeros(width) for width in widths_out)
        self.skip = (
            nn.ParameterList(
                torch.zeros(width, self._skip_width(number))
                for number, width in enumerate(widths_out)
            )
            if architecture.skip
            else None
        )

    @property
    def parts(self) -> list[Block]:
        """The blocks of latents: one, or one a source."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def encode(self, sources: Sequence[Float[Tensor, "row _"]]) -> tuple[Latents, ...]:
        """Return the latents' activations, block by block.

        Raises:
            SondeError: there are not as many sources as the architecture has, or one has another
                width.
        """
        return tuple(
            block.encode(x) for block, x in zip(self.parts, self.read(sources), strict=True)
        )

    def read(self, sources: Sequence[Float[Tensor, "row _"]]) -> list[Float[Tensor, "row _"]]:
        """Return what each block encodes.

        Raises:
            SondeError: as ``encode``.
        """
        self._check(sources)
        if self.architecture.normalise != "none":
            sources = [row_scale(x, self.architecture.normalise).there(x) for x in sources]
        if self.architecture.takes_bias_off:
            sources = [x - bias for x, bias in zip(sources, self.bias, strict=True)]
        return [
            self.share.read(torch.cat([sources[one] for one in reach.sources], dim=1))
            for reach in self.architecture.reaches
        ]

    def decode(
        self,
        latents: Sequence[Latents],
        sources: Sequence[Float[Tensor, "row _"]] = (),
        *,
        fixed: bool = False,
    ) -> tuple[Float[Tensor, "prefix row _"], ...]:
        """Return every target from each prefix of the latents, the whole last.

        ``sources`` are needed by a skip, and where rows were normalised. ``fixed`` lets gradients
        reach the latents alone.
        """
        made = self.written(latents, fixed=fixed)
        around = [self._around(number, sources) for number in range(len(made))]
        whole = [
            part + (one.detach() if fixed else one) for part, one in zip(made, around, strict=True)
        ]
        return tuple(self._brought_back(number, one, sources) for number, one in enumerate(whole))

    def written(
        self, latents: Sequence[Latents], *, nested: bool = True, fixed: bool = False
    ) -> tuple[Float[Tensor, "prefix row _"], ...]:
        """Return what the latents of the blocks write to each target, without biases and skips.

        Without ``nested`` there is the whole alone.
        """
        groups = self.share.groups(self.architecture.groups) if nested else ()
        found: list[Tensor | float] = [0.0] * len(self.bias)
        for block, reach, own in zip(self.parts, self.architecture.reaches, latents, strict=True):
            decoder = block.decoder.detach() if fixed else block.decoder
            written = own.decode_prefixes(decoder, groups) if groups else own.decode(decoder)[None]
            widths = [self.architecture.widths_out[one] for one in reach.targets]
            for target, part in zip(reach.targets, written.split(widths, dim=2), strict=True):
                found[target] = found[target] + part
        return tuple(self.share.written(part) for part in found if isinstance(part, Tensor))

    def forward(self, *sources: Float[Tensor, "row _"]) -> Reconstruction:
        """Encode and decode."""
        latents = self.encode(sources)
        prefixes = self.decode(latents, sources)
        return Reconstruction(latents, tuple(one[-1] for one in prefixes), prefixes)

    def _around(self, target: int, sources: Sequence[Tensor]) -> Tensor:
        """Return the bias of a target, with the skip where there is one."""
        if self.skip is None:
            return self.bias[target]
        if not sources:
            raise _needs_sources("a skip")
        own = [sources[target]] if self.architecture.cross_layer else list(sources)
        return self.bias[target] + torch.cat(own, dim=1) @ self.skip[target].T

    def _brought_back(self, target: int, made: Tensor, sources: Sequence[Tensor]) -> Tensor:
        """Undo what normalised a source that is a target too."""
        kind = self.architecture.normalise
        if kind == "none" or not self.architecture.is_autoencoder:
            return made
        if not sources:
            raise _needs_sources("normalised rows")
        return row_scale(sources[target], kind).back(made)

    def _skip_width(self, target: int) -> int:
        d_in = self.architecture.d_in
        return d_in[target] if self.architecture.cross_layer else sum(d_in)

    def _check(self, sources: Sequence[Tensor]) -> None:
        architecture = self.architecture
        given = [x.shape[-1] for x in sources]
        if given != list(architecture.d_in):
            raise SondeError(
                f"A {architecture.name} of {', '.join(architecture.sources)} reads widths "
                f"{list(architecture.d_in)}, and activations of widths {given} are given.",
                fix="Give the activations at its sources, in that order, [row, width] each.",
            )


def _needs_sources(what: str) -> SondeError:
    return SondeError(
        f"A dictionary with {what} cannot decode latents alone.",
        fix="Give the sources as well: decode(latents, sources).",
    )
