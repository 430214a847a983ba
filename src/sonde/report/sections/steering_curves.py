"""Trait and coherence over the coefficient: where steering works, and where the text breaks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.sections.steering_curves_chart import limit_chart, trait_chart
from sonde.report.wording import figure, interval_text, listed, magnitude
from sonde.stats.interval import Interval

COLOURS = 6


@dataclass(frozen=True, slots=True)
class SteeredPoint:
    """One coefficient of a vector: its unit is the typical norm, ``raw`` is what was added.

    ``held`` is the measure that the limit is put on: coherence, or the ratio of perplexities.
    """

    coefficient: float
    raw: float
    trait: Interval | None
    held: float | None
    coherent: bool


@dataclass(frozen=True, slots=True)
class SteeringCurve:
    """One vector's points in rising order; ``best`` is the index of the one to use, if any is."""

    name: str
    points: tuple[SteeredPoint, ...]
    best: int | None = None


@dataclass(frozen=True, slots=True)
class SteeringCurves:
    """Curves of several vectors over the coefficient.

    ``levels`` are scores without a coefficient, such as the unsteered one, by name. ``limit`` is
    the bound on ``held`` (``held_name``), below which a text is coherent; with ``rising`` above it.
    With ``less`` it is less of the trait that was searched for.
    """

    curves: tuple[SteeringCurve, ...]
    trait: str
    held_name: str
    limit: float
    rising: bool = False
    less: bool = False
    levels: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    note: str = ""
    title: str = "Trait and coherence by coefficient"
    kind: ClassVar[str] = "steering_curves"

    def __post_init__(self) -> None:
        if not self.curves or not all(curve.points for curve in self.curves):
            raise SondeError("Steering curves need a vector, and a coefficient for each.")
        if len(self.curves) > COLOURS:
            raise SondeError(
                f"{len(self.curves)} curves cannot be told apart in one chart.",
                fix=f"Show {COLOURS} at most, or make a second section.",
            )
        for curve in self.curves:
            given = [point.coefficient for point in curve.points]
            if given != sorted(set(given)) or given[0] <= 0:
                raise SondeError(
                    f"The coefficients of {curve.name!r} are not positive and rising: {given}."
                )

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Every coefficient that any curve has, rising."""
        return tuple(sorted({point.coefficient for curve in self.curves for point in curve.points}))


def prepare(section: SteeringCurves) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "sentence": sentence(section),
        "trait_chart": trait_chart(section),
        "limit_chart": limit_chart(section),
        "legend": [(f"s{index}", curve.name) for index, curve in enumerate(section.curves)],
        "levels": list(section.levels),
        "bound": bound(section),
        "header": ["Vector", "Coefficient", "Raw", section.trait, section.held_name, "Coherent"],
        "rows": [
            [
                curve.name,
                coefficient_text(point.coefficient),
                magnitude(point.raw),
                interval_text(point.trait, 1),
                figure(point.held),
                "yes" if point.coherent else "no",
            ]
            for curve in section.curves
            for point in curve.points
        ],
    }


def bound(section: SteeringCurves) -> str:
    """Say the limit: ``perplexity ratio of 1.50 at most``."""
    word = "at least" if section.rising else "at most"
    return f"{section.held_name} of {figure(section.limit)} {word}"


def coefficient_text(value: float) -> str:
    """Write a coefficient with three digits: ``0.125``, ``2.4``."""
    return f"{value:.3g}"


def sentence(section: SteeringCurves) -> str:
    """Say which vector moves the trait most within the limit, and where each one's text breaks."""
    best = [
        (curve, point)
        for curve in section.curves
        if curve.best is not None and (point := curve.points[curve.best]).trait is not None
    ]
    said = [
        f"No coefficient that was tried kept {section.held_name} within the limit."
        if not best
        else _best(section, best)
    ]
    cliffs = [(curve.name, _cliff(curve)) for curve in section.curves]
    known = [
        f"{name} between {low} and {high}" for name, ends in cliffs if ends for low, high in [ends]
    ]
    if known:
        said.append(f"The text breaks for {listed(known)} typical norms.")
    return " ".join(said)


def _best(section: SteeringCurves, best: list[tuple[SteeringCurve, SteeredPoint]]) -> str:
    sign = -1 if section.less else 1
    curve, point = max(best, key=lambda one: _signed(one[1], sign))
    assert point.trait is not None
    trait = f"{section.trait}," if "," in section.trait else section.trait
    end = "lowest" if section.less else "highest"
    return (
        f"Within the limit {trait} is {end} with {curve.name} at "
        f"{coefficient_text(point.coefficient)} typical norms ({magnitude(point.raw)} raw): "
        f"{interval_text(point.trait, 1)}, on the questions that chose the coefficient; the table "
        "has the score on questions that did not."
    )


def _signed(point: SteeredPoint, sign: int) -> float:
    value = math.nan if point.trait is None else point.trait.value
    return sign * value if math.isfinite(value) else -math.inf


def _cliff(curve: SteeringCurve) -> tuple[str, str] | None:
    """Return the last coherent coefficient and the first incoherent one above it."""
    good = [point.coefficient for point in curve.points if point.coherent]
    bad = [point.coefficient for point in curve.points if not point.coherent]
    above = [value for value in bad if not good or value > max(good)]
    if not good or not above:
        return None
    return coefficient_text(max(good)), coefficient_text(min(above))
