"""What the token view's scripts read, and the bars above its slider."""

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sonde.report import svg
from sonde.report.colours import STEPS
from sonde.report.island import island
from sonde.report.wording import figure

if TYPE_CHECKING:
    from sonde.report.sections.token_view import TokenView

BARS = 24  # as many fill the width
SHORT = 2000  # more tokens than that are shown one text at a time


def hundredths(value: float | None) -> int | None:
    """Return a shade as scripts read it; None where it is not a number."""
    return None if value is None or not math.isfinite(value) else round(value * 100)


def quality_bars(section: "TokenView") -> Markup:
    """Draw the probe's score by layer as bars, each centred above its place on the slider."""
    known = [value for value in section.quality if value is not None and math.isfinite(value)]
    if not known or len(section.quality) != len(section.layers):
        return Markup()
    low, high = min(known), max(known)
    scale = svg.Scale(low - (high - low) * 0.25 - 1e-9, high, 0.0, 30.0)
    bars: list[Markup] = []
    # Few layers lie far apart; their bars are no wider than those of many.
    width = 7.0 * min(1.0, max(1, len(section.quality) - 1) / BARS)
    for at, value in enumerate(section.quality):
        height = 0.0 if value is None or not math.isfinite(value) else scale(value)
        style = "bar now" if at == section.start_at else "bar"
        bars.append(
            svg.node(
                "rect",
                x=f"{10 * at - width / 2:.3f}",
                y=30 - height,
                width=f"{width:.3f}",
                height=height,
                class_=style,
            )
        )
    return svg.node(
        "svg",
        svg.node("title", f"{section.metric} by layer, highest {figure(high)}"),
        *bars,
        class_="quality",
        viewBox=f"0 0 {max(1, 10 * (len(section.layers) - 1))} 30",
        preserveAspectRatio="none",
        role="img",
    )


def script_data(section: "TokenView") -> Markup:
    """Return the tokens, scores and shades as the page's scripts read them, in whole numbers."""
    unit = 10**section.digits
    tokens = sum(len(text.tokens) for text in section.texts)

    def whole(value: float | None) -> int | None:
        kept = section.kept(value)
        return None if kept is None else round(kept * unit)

    data: dict[str, Any] = {
        "layers": list(section.layers),
        "at": section.start_at,
        "first": "all" if tokens <= SHORT else "1",
        "steps": STEPS,
        "digits": section.digits,
        "unit": unit,
        "low": section.low,
        "threshold": section.threshold,
        "high": section.high,
        "classes": list(section.classes),
        "sided": 1 if section.one_sided else 2,
        "score": section.score,
        "says": section.truth_says,
        "texts": [
            {
                "tokens": list(text.tokens),
                "ids": list(text.ids),
                "scores": [[whole(value) for value in row] for row in text.scores],
                "shades": [[hundredths(value) for value in row] for row in text.shades],
                "outcome": [whole(text.outcome_at(at)) for at in range(len(section.layers))],
                "positive": text.positive,
                "truth": list(text.truth),
            }
            for text in section.texts
        ],
    }
    return island(data)
