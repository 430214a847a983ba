"""What became of the responses that vectors are made from: asked, kept, left out and why."""

from collections.abc import Mapping

from sonde.core.files import read_json
from sonde.data.scenarios import SIDES
from sonde.experiments.stage import Finished
from sonde.experiments.stages.responses import ResponsesStage
from sonde.report import Section, Table
from sonde.steering.responding import LEFT_OUT


def responses_tables(there: Mapping[str, Finished]) -> list[tuple[str, Section]]:
    """Return a table for each stage that vetted responses, with the stage's name."""
    return [
        (name, _table(finished.stage, finished))
        for name, finished in there.items()
        if isinstance(finished.stage, ResponsesStage)
    ]


def _table(stage: ResponsesStage, finished: Finished) -> Table:
    summary = finished.summary
    reasons = tuple(summary["skipped"])
    lost = {(side, reason): 0 for side in SIDES for reason in reasons}
    for one in read_json(finished.folder / LEFT_OUT):
        lost[one["side"], one["reason"]] += 1
    rows = tuple(
        (
            side,
            summary["written"][side],
            summary["labels"][side],
            *(lost[side, reason] for reason in reasons),
        )
        for side in SIDES
    )
    columns = ("Side", "Responses", "Kept", *(f"{one[:1].upper()}{one[1:]}" for one in reasons))
    return Table(columns, rows, f"Responses: {stage.trait}", _note(finished))


def _note(finished: Finished) -> str:
    by, threshold = finished.summary["vetted_by"], finished.summary["threshold"]
    vetted = (
        f"Vetted by {by}, whose score must lie on the right side of {threshold:g} of 100."
        if by
        else "Vetted by form alone: no judge was named, and the trait has no rule."
    )
    return f"{vetted} What was left out is in {LEFT_OUT} of the stage {finished.name}."
