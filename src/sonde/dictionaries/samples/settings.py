"""What is kept of each latent's activations, and how much of it a report shows."""

from typing import Annotated, TypeAlias

from pydantic import Field

from sonde.core.base import Config

Count: TypeAlias = Annotated[int, Field(ge=1)]
NotNegative: TypeAlias = Annotated[int, Field(ge=0)]


HALVES = 48  # half octaves that activations are counted by, the last one open


class SampleSettings(Config):
    """Samples of every latent: its top activations, some of each octave, some at random.

    ``every``: a batch is looked at once in so many steps. ``per_latent``: how many of the largest
    activations are kept. ``threshold``: activations up to it are counted, not kept. ``strata``:
    octaves above the threshold, the last one open, of each of which ``per_stratum`` are kept at
    random; ``uniform``: how many of all are kept at random. Of the largest and of those at random
    the first ``texts`` are written with their text, and of each octave one; ``context``: tokens on
    each side. ``show`` latents, with ``show_samples`` texts each, go into a report.
    """

    every: Count = 100
    per_latent: Count = 100
    threshold: Annotated[float, Field(gt=0)] = 0.1
    strata: NotNegative = 10
    per_stratum: Count = 4
    uniform: NotNegative = 30
    texts: NotNegative = 10
    context: NotNegative = 20
    seed: int = 0
    show: NotNegative = 200
    show_samples: Count = 8

    @property
    def slots(self) -> int:
        """How many samples a latent has at most."""
        return self.per_latent + self.strata * self.per_stratum + self.uniform

    @property
    def edges(self) -> tuple[float, ...]:
        """Where the half octaves begin that activations are counted by, the threshold first."""
        return tuple(self.threshold * 2 ** (half / 2) for half in range(HALVES))
