"""What the latent browser's scripts read: numbers as written, tokens as they are seen."""

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sonde.report.island import island
from sonde.report.visible import SPACE, visible
from sonde.report.wording import MISSING, count, figure, magnitude

if TYPE_CHECKING:
    from sonde.report.sections.latent_browser import LatentBrowser, ShownLatent, ShownText

WHOLE = 1000  # a latent's largest activation, as scripts read it


def script_data(section: "LatentBrowser") -> Markup:
    """Return the latents as the page's scripts read them.

    A token is its text; one with marks for what cannot be seen is a list of its parts, a mark in a
    list of its own.
    """
    return island({"whole": WHOLE, "latents": [_latent(one) for one in section.latents]})


def seen(text: str) -> str | list[Any]:
    """Return a token's text, or its parts where it has marks."""
    parts = visible(text)
    if any(part.mark for part in parts):
        return [[part.text] if part.mark else part.text for part in parts]
    return text


def alone(text: str) -> str | list[Any]:
    """Return a token that stands by itself: the space before a word is a mark as well."""
    if len(text) > 1 and text[0] == " " and not text[1].isspace():
        rest = seen(text[1:])
        return [[SPACE], *(rest if isinstance(rest, list) else [rest])]
    return seen(text)


def _latent(one: "ShownLatent") -> dict[str, Any]:
    from sonde.report.sections.latent_browser import activation_text, rate_text

    largest = max([one.largest or 0.0, *(text.value for text in one.texts)])
    return {
        "number": one.number,
        "block": one.block,
        "sort": {
            "number": one.number,
            "rate": one.rate,
            "largest": one.largest,
            "mean": one.mean,
            "diversity": one.diversity,
            "specialisation": one.specialisation,
        },
        "said": {
            "number": "",
            "rate": rate_text(one.rate),
            "largest": activation_text(one.largest),
            "mean": activation_text(one.mean),
            "diversity": figure(one.diversity),
            "specialisation": figure(one.specialisation),
        },
        "counts": list(one.counts),
        "bounds": [_bound(value) for value in one.bounds],
        "fires": [[alone(text), f"{100 * share:.0f} %"] for text, share in one.fires_on],
        "raised": [[alone(text), _change(value)] for text, value in one.raised],
        "lowered": [[alone(text), _change(value)] for text, value in one.lowered],
        "largest": largest,
        "texts": [_text(text, largest) for text in one.texts],
    }


def _text(text: "ShownText", largest: float) -> dict[str, Any]:
    return {
        "tokens": [seen(piece) for piece in text.pieces],
        "values": [None if value is None else _part(value, largest) for value in text.values],
        "place": text.place,
        "value": f"{text.value:.3g}",
        "part": _part(text.value, largest),
        "drawn": text.drawn,
        "times": "" if text.times < 2 else f"{count(text.times)} times",
    }


def _part(value: float, largest: float) -> int | None:
    if not largest or not math.isfinite(value):
        return None
    return max(0, min(WHOLE, round(WHOLE * value / largest)))


def _bound(value: float) -> str:
    return "" if math.isinf(value) else f"{value:.3g}"


def _change(value: float) -> str:
    sign = "+" if value >= 0 else "−"
    return f"{sign}{magnitude(abs(value))}" if math.isfinite(value) else MISSING
