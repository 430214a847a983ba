"""Latents of a dictionary: a list to search and sort, and what each one is active on."""

from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from sonde.core.errors import SondeError
from sonde.report import svg
from sonde.report.sections.latent_browser_data import alone, script_data, seen
from sonde.report.wording import MISSING

AROUND = 8  # tokens on each side of a text in the table
FEW = 4  # words of a kind in the table


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text that a latent is active in: ``place`` is the sampled token, ``value`` its activation.

    ``values`` are the latent's activations on each token, None where not known. ``drawn`` says how
    the text was chosen, ``times`` how often it was met, word for word.
    """

    pieces: tuple[str, ...]
    values: tuple[float | None, ...]
    place: int
    value: float
    drawn: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class ShownLatent:
    """One latent. Numbers are None where they are not known or not defined.

    ``counts`` are numbers of activations by size, ``bounds`` where these sizes begin and end, one
    more. ``fires_on`` are tokens with shares, ``raised`` and ``lowered`` tokens with changes of
    their logits.
    """

    number: int
    rate: float
    mean: float | None
    largest: float | None
    diversity: float | None
    specialisation: float | None
    counts: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()
    fires_on: tuple[tuple[str, float], ...] = ()
    raised: tuple[tuple[str, float], ...] = ()
    lowered: tuple[tuple[str, float], ...] = ()
    texts: tuple[ShownText, ...] = ()
    block: int | None = None

    def __post_init__(self) -> None:
        if self.counts and len(self.bounds) != len(self.counts) + 1:
            raise SondeError(
                f"Latent {self.number} has {len(self.counts)} counts and {len(self.bounds)} bounds."
            )
        for text in self.texts:
            if len(text.values) != len(text.pieces) or not 0 <= text.place < len(text.pieces):
                raise SondeError(
                    f"A text of latent {self.number} has {len(text.pieces)} tokens, "
                    f"{len(text.values)} activations and is sampled at {text.place}."
                )


@dataclass(frozen=True, slots=True)
class LatentBrowser:
    """Some latents of a dictionary; ``left_out`` says of which, and how they were chosen.

    ``note`` says on what text they were looked at.
    """

    latents: tuple[ShownLatent, ...]
    note: str = ""
    left_out: str = ""
    title: str = "What the latents are active on"
    kind: ClassVar[str] = "latent_browser"

    def __post_init__(self) -> None:
        if not self.latents:
            raise SondeError("A browser of latents needs at least one latent.")
        numbers = [one.number for one in self.latents]
        if len(set(numbers)) < len(numbers):
            raise SondeError("A latent is given twice.")


def prepare(section: LatentBrowser) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "data": script_data(section),
        "sorts": sorts(section),
        "header": ("latent", "fires on", "fires", "largest", "raises", "most active in"),
        "rows": [_row(one) for one in section.latents],
        "coloured": any(
            value is not None
            for one in section.latents
            for text in one.texts
            for value in text.values
        ),
    }


def sorts(section: LatentBrowser) -> list[tuple[str, str]]:
    """Return what latents can be sorted by: a key and words; only what some latent has."""
    known = (
        ("rate", "how often they fire"),
        ("largest", "largest activation"),
        ("mean", "mean activation"),
        ("diversity", "context diversity"),
        ("specialisation", "specialisation"),
        ("number", "number"),
    )
    return [
        (key, words)
        for key, words in known
        if any(getattr(one, key) is not None for one in section.latents)
    ]


def rate_text(rate: float) -> str:
    """Write how often a latent fires: ``12 %``, ``0.0021 %``."""
    return f"{100 * rate:.2g} %" if rate < 0.1 else f"{100 * rate:.0f} %"


def activation_text(value: float | None) -> str:
    """Write an activation with three figures."""
    return MISSING if value is None else f"{value:.3g}"


def _row(one: ShownLatent) -> tuple[str | Markup, ...]:
    best = max(one.texts, key=lambda text: text.value, default=None)
    return (
        f"{one.number}",
        _words(one.fires_on),
        rate_text(one.rate),
        activation_text(one.largest),
        _words(one.raised),
        MISSING if best is None else _snippet(best),
    )


def _words(given: tuple[tuple[str, float], ...]) -> Markup | str:
    words = [svg.node("span", *_parts(alone(text)), class_="piece") for text, _ in given[:FEW]]
    return Markup(" ").join(words) if words else MISSING


def _parts(token: str | list[Any]) -> list[str | Markup]:
    parts = [token] if isinstance(token, str) else token
    return [part if isinstance(part, str) else svg.node("i", part[0]) for part in parts]


def _snippet(text: ShownText) -> Markup:
    """Return a text around its sampled token, which is marked."""
    first = max(0, text.place - AROUND)
    parts: list[Markup] = [Markup("… ")] if first else []
    for at, piece in enumerate(text.pieces[first : text.place + AROUND + 1], first):
        tag = "mark" if at == text.place else "span"
        parts.append(svg.node(tag, *_parts(seen(piece))))
    return Markup().join([*parts, " …"] if len(text.pieces) > text.place + AROUND + 1 else parts)
