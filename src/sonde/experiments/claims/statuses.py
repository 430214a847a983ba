"""What a result is beside what was known: reproduced, novel or inconclusive."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.references import ResultReference, parse_reference
from sonde.experiments.claims.specification import ReferenceValue
from sonde.experiments.claims.wording import signed
from sonde.experiments.stage import Finished
from sonde.ledger.records import INCONCLUSIVE, NOVEL, REPRODUCED, Measured, RunFilter, Status
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.experiments.recording import Recorder

ROUNDING = 1e-12
CHANCE = {"kendall_tau": 0.0}  # of metrics without scores of single units, which have no formula
Results = Mapping[str, Mapping[str, Measured]]  # by stage and name


def record_statuses(
    recorder: "Recorder", finished: Mapping[str, Finished], say: Callable[[str], None]
) -> None:
    """Record the status of each result of a variant.

    Where nothing ran, a status is recorded only if the file states another value than it did.
    """
    label, references = recorder.planned.label, recorder.planned.experiment.references
    if recorder.run is None and not references:
        return
    results = Findings({label: finished}).results(label)
    for reference in unmatched(results, references, label):
        say(f"references: there is no result {reference}")
    statuses = statuses_of(results, references, label)
    if recorder.run is None:
        known = _stated_before(recorder)
        statuses = tuple(
            one for one in statuses if known.get((one.stage, one.result)) != one.reference
        )
    recorder.statuses(statuses)


def _stated_before(recorder: "Recorder") -> Mapping[tuple[str, str], Mapping[str, object] | None]:
    """Return the values that results of this variant's newest run were held against."""
    ledger = recorder.opened()
    rows = ledger.list(RunFilter(name=recorder.spec.name), limit=None)
    own = [row.id for row in rows if row.variant == recorder.planned.label]
    results = ledger.show(own[0]).results if own else ()
    return {(one.stage, one.name): one.reference for one in results}


def statuses_of(
    results: Results, references: Mapping[str, ReferenceValue], variant: str
) -> tuple[Status, ...]:
    """Return the status of each result of a variant; one that is not applicable has none."""
    stated = {parse_reference(text): value for text, value in references.items()}
    return tuple(_statuses(results, stated, variant))


def unmatched(
    results: Results, references: Mapping[str, ReferenceValue], variant: str
) -> tuple[str, ...]:
    """Return the reference values whose stage ran and whose result it does not have."""
    stated = [parse_reference(text) for text in references]
    return tuple(
        str(one)
        for one in stated
        if one.variant in ("", variant)
        and one.stage in results
        and one.result not in results[one.stage]
    )


def _statuses(
    results: Results, stated: Mapping[ResultReference, ReferenceValue], variant: str
) -> Iterator[Status]:
    for stage, by_name in results.items():
        for name, measured in by_name.items():
            if measured.score is None:
                continue
            own = ResultReference(stage, name)
            known = stated.get(own.within(variant), stated.get(own))
            if known is None:
                yield Status(stage, name, *_without_reference(measured, measured.score))
            else:
                word, why = _against(measured.score, known)
                yield Status(stage, name, word, why, known.model_dump(mode="json"))


def _against(score: Interval, known: ReferenceValue) -> tuple[str, str]:
    """Compare with a stated value: within its tolerance, perhaps so, or elsewhere."""
    stated = f"{known.value:g} ± {known.tolerance:g}"
    stated += f" ({known.source})" if known.source else ""
    apart = score.value - known.value
    if abs(apart) <= known.tolerance + ROUNDING:
        return REPRODUCED, f"{score} is within {stated}."
    low, high = known.value - known.tolerance, known.value + known.tolerance
    if score.low <= high and score.high >= low:
        return INCONCLUSIVE, f"{score} is not within {stated}, and its interval reaches it."
    if math.isfinite(apart):
        return NOVEL, f"{score} differs from {stated} by {signed(apart)}."
    return INCONCLUSIVE, f"{score} cannot be held against {stated}."


def _without_reference(measured: Measured, score: Interval) -> tuple[str, str]:
    """Ask whether the score can be told from its controls and from chance."""
    from sonde.stats.metrics import METRICS

    metric = METRICS.get(measured.metric)
    chance = metric.chance if metric is not None else CHANCE[measured.metric]
    floors = {name: control.score for name, control in measured.controls.items()}
    if math.isfinite(chance):
        floors["chance"] = Interval(chance, chance, chance, 0)
    for name, floor in floors.items():
        above, below = score.low > floor.high, score.high < floor.low
        # More is better, but of means of values and of ratios that is for the user to say.
        own_choice = metric is not None and not metric.directed
        if not (above or (below and own_choice)):
            known = f"{floor.value:g}" if name == "chance" else str(floor)
            return INCONCLUSIVE, f"{score} is not told from {name}, {known}."
    return NOVEL, ""
