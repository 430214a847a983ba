"""Reliability diagrams from the out-of-fold log-odds of probes of two classes."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.words import power
from sonde.report.from_results import Results, several_results
from sonde.report.sections.calibration import Bin, Calibration, Reliability
from sonde.report.sections.text import Text
from sonde.report.wording import figure, interval_text

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.probes.reliability import Calibration as Measured
    from sonde.probes.reliability import Reliability as MeasuredCurve
    from sonde.probes.results import ProbeResults

SMALL = 0.1
TITLE = "What the probabilities are worth"
NOTE = (
    "Rows were read by fits that had not seen them, at the layer chosen inside the training folds; "
    "the temperature of a fold was fitted on the others."
)


def calibration_from(results: Results) -> tuple[Calibration | Text, ...]:
    """Draw a diagram for every result whose probes give the probability of one of two classes.

    Where that cannot be done, a paragraph says why. Of several, each has its name in the title.
    """
    drawn = [(name, one) for name, one in several_results(results) if one.best.says == "logit"]
    return tuple(
        _of_results(one, name, f"{TITLE}: {name}" if len(drawn) > 1 else TITLE)
        for name, one in drawn
    )


def _of_results(one: "ProbeResults", name: str, title: str) -> Calibration | Text:
    from sonde.probes.reliability import calibration

    try:
        found = calibration(one.selection.scored, bootstrap=one.settings.bootstrap)
    except SondeError as error:
        return Text(f"{name}: there is no reliability diagram. {error}", title)
    drawn = calibration_view(found, name, one.labels[1] if len(one.labels) == 2 else "")
    return replace(drawn, title=title)


def calibration_view(found: "Measured", name: str = "", positive: str = "") -> Calibration:
    """Draw a probe's reliability as it was fitted, and with the temperature that mends it."""
    value = found.temperature.temperature
    # Of log-odds that are much too small, two decimals would say no more than 0.
    temperature = f"temperature {figure(value) if value >= SMALL else power(value)}"
    return Calibration(
        (_curve("as fitted", found.own), _curve(temperature, found.with_temperature)),
        positive=positive,
        note=f"{name[:1].upper()}{name[1:]}. {NOTE}" if name else NOTE,
    )


def _curve(name: str, found: "MeasuredCurve") -> Reliability:
    return Reliability(
        name,
        tuple(Bin(one.low, one.high, one.predicted, one.observed, one.n) for one in found.bins),
        found.error,
        found.by_luck,
        (
            ("Brier score", interval_text(found.brier, 3)),
            ("Log-loss", interval_text(found.loss, 3)),
        ),
    )
