"""What is known of a dictionary's latents by their samples: tables, and one latent at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.dictionaries.samples.settings import SampleSettings

if TYPE_CHECKING:
    import pyarrow as pa


class SampledFrom(Config):
    """Where samples come from.

    ``part`` is ``training`` or ``held-out``. Samples of training are of the dictionary as it was at
    each sample's step; the others of the finished one. ``dictionary`` names it, ``sha256`` is the
    hash of its file, ``corpus`` the fingerprint of the texts.
    """

    part: Literal["training", "held-out"]
    dictionary: str = ""
    sha256: str = ""
    model: str = ""
    corpus: str = ""


class Accounting(Config):
    """How many latents there are, and what became of them.

    ``silent`` never fired on the rows that were looked at, ``faint`` fired but never above the
    threshold; the others are ``sampled``. ``samples`` counts them all, ``texts`` those with text.
    """

    latents: int
    silent: int
    faint: int
    sampled: int
    rows: int
    samples: int
    texts: int


@dataclass(frozen=True, slots=True)
class Context:
    """A sample in its text.

    ``drawn`` is ``top``, ``octave`` or ``random``; ``place`` is the token that was sampled among
    ``pieces``; ``values`` are the latent's activations on each of these, None where not known.
    """

    drawn: str
    octave: int
    value: float
    token: int
    step: int
    document: int
    place: int
    pieces: tuple[str, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A token's text with a number: a share, or a change of its logit."""

    text: str
    number: float


@dataclass(frozen=True, slots=True)
class LatentFacts:
    """What is known of a latent; a number is None where it is not defined or was not measured.

    ``rate`` is the share of rows in which it fires, ``mean`` its mean activation where it does,
    ``largest`` its largest above the threshold. ``diversity`` is the share of different contexts
    among its top samples, ``effective_tokens`` and ``specialisation`` say on how many tokens its
    random samples are (``TokenSpread``). ``histogram`` counts activations up to the threshold
    first, then by half octaves above it.
    """

    latent: int
    block: int
    fired: int
    rate: float
    mean: float | None
    largest: float | None
    samples: int
    diversity: float | None
    effective_tokens: float | None
    specialisation: float | None
    histogram: tuple[int, ...]
    tokens: tuple[Word, ...]
    raised: tuple[Word, ...]
    lowered: tuple[Word, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DictionarySamples:
    """Tables of latents (one row each, by number) and of samples (by latent)."""

    settings: SampleSettings
    source: SampledFrom
    accounting: Accounting
    latents: "pa.Table"
    samples: "pa.Table"

    def __len__(self) -> int:
        return self.accounting.latents

    def spaced(self, count: int) -> list[int]:
        """Return latents with samples, evenly spaced by how often they fire, the first first.

        So they stand for all: of the most active ones alone many fire on almost anything.
        """
        fired, samples = self._column("fired"), self._column("samples")
        order = (-fired).argsort(kind="stable")
        order = order[samples[order] > 0]
        if len(order) <= count:
            return order.tolist()
        steps = range(count)
        return [int(order[round(one * (len(order) - 1) / max(1, count - 1))]) for one in steps]

    def latent(self, number: int) -> LatentFacts:
        """Return what is known of a latent.

        Raises:
            SondeError: there is no such latent.
        """
        if not 0 <= number < len(self):
            raise SondeError(
                f"There is no latent {number}: the dictionary has {len(self):,}.",
                fix=f"Give a number from 0 to {len(self) - 1}.",
            )
        (row,) = self.latents.slice(number, 1).to_pylist()
        words = {name: _words(row[name]) for name in ("tokens", "raised", "lowered")}
        return LatentFacts(**row | words | {"histogram": tuple(row["histogram"])})

    def contexts(self, number: int) -> tuple[Context, ...]:
        """Return a latent's samples that have a text, the largest first, no token twice."""
        import numpy as np

        latent: Any = self.samples["latent"].to_numpy()  # ascending
        first, last = np.searchsorted(latent, [number, number + 1]).tolist()
        here = self.samples.slice(first, last - first).to_pylist()
        rows = [row for row in here if row["pieces"] is not None]
        kept = {row["token"]: row for row in reversed(rows)}
        rows = sorted(kept.values(), key=lambda row: (-row["value"], row["token"]))
        return tuple(_context(row) for row in rows)

    def _column(self, name: str) -> Any:
        return self.latents[name].to_numpy()


def _words(given: Sequence[dict[str, Any]] | None) -> tuple[Word, ...]:
    return tuple(Word(one["text"], one["number"]) for one in given or ())


def _context(row: dict[str, Any]) -> Context:
    pieces = tuple(row["pieces"])
    values = row["values"] or [None] * len(pieces)
    plain = {name: row[name] for name in ("drawn", "octave", "value", "token", "step", "document")}
    return Context(**plain, place=row["place"], pieces=pieces, values=tuple(values))
