"""The diverging scale of token colours, as CSS classes for light, dark and print.

Blue against orange stays apart in every common kind of colour blindness; the middle is the page
itself. Steps are even in OKLab (Ottosson 2020), so equal differences look equal.
"""

import math
from typing import TypeAlias

STEPS = 10  # on either side of the threshold
Rgb: TypeAlias = tuple[float, float, float]

# (blue end, middle, orange end)
LIGHT = ("#66a3e0", "#fdfcfa", "#f29b3f")
DARK = ("#1f5c9e", "#17191d", "#93500a")
INK_LIGHT, INK_DARK = "#1b1d21", "#eceae4"


def bin_of(value: float | None, low: float, threshold: float, high: float) -> int | None:
    """Return the step from ``-STEPS`` to ``STEPS``, 0 at the threshold; None for no number."""
    if value is None or math.isnan(value):
        return None
    reach = high - threshold if value >= threshold else threshold - low
    if reach <= 0:
        return 0
    part = min(1.0, abs(value - threshold) / reach)
    # JavaScript rounds half up, Python half to even; the floor of x + 1/2 is the same in both.
    step = int(part * STEPS + 0.5)
    return step if value >= threshold else -step


def scale(ends: tuple[str, str, str]) -> tuple[str, ...]:
    """Return the ``2 * STEPS + 1`` colours from the first end over the middle to the last."""
    first, middle, last = (_oklab(_rgb(colour)) for colour in ends)
    parts = [step / STEPS for step in range(STEPS + 1)]
    falling = [_hex(_mix(middle, first, part)) for part in reversed(parts)]
    return (*falling, *[_hex(_mix(middle, last, part)) for part in parts[1:]])


def css_rules() -> str:
    """Return the rules ``.b-10`` … ``.b10``; print uses the light ones."""
    light = "".join(_rule(step, colour) for step, colour in enumerate(scale(LIGHT), -STEPS))
    dark = "".join(_rule(step, colour) for step, colour in enumerate(scale(DARK), -STEPS))
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21: ``(L1 + .05) / (L2 + .05)`` (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _rule(step: int, colour: str) -> str:
    return f".b{step}{{background:{colour};fill:{colour}}}"


def _rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(lab: Rgb) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in _rgb_of(lab))


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    part = min(1.0, max(0.0, part))
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part) for part in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(one: Rgb, other: Rgb, part: float) -> Rgb:
    first, second, third = ((1 - part) * a + part * b for a, b in zip(one, other, strict=True))
    return first, second, third


def _oklab(rgb: Rgb) -> Rgb:
    r, g, b = (_linear(part) for part in rgb)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _rgb_of(lab: Rgb) -> Rgb:
    light, green_red, blue_yellow = lab
    long = (light + 0.3963377774 * green_red + 0.2158037573 * blue_yellow) ** 3
    middle = (light - 0.1055613458 * green_red - 0.0638541728 * blue_yellow) ** 3
    short = (light - 0.0894841775 * green_red - 1.2914855480 * blue_yellow) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short),
    )
