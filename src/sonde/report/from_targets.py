"""A table of each of several targets, where a probe predicts several numbers together."""

from typing import TYPE_CHECKING

from sonde.report.from_results import METRIC_NAMES, Results, several_results
from sonde.report.sections.text import Table
from sonde.report.wording import interval_text
from sonde.stats.effects import interval_of

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.probes.results import ProbeResults

NOTE = (
    "Each number alone, at the layer and penalty that the training folds chose for all of them "
    "together."
)


def targets_from(results: Results) -> tuple[Table, ...]:
    """Score each target of every result that has several, beside the baselines."""
    return tuple(_table(one, name) for name, one in several_results(results) if one.several_targets)


def _table(one: "ProbeResults", name: str) -> Table:
    from sonde.probes.of_targets import of_targets

    how = one.settings.bootstrap
    return Table(
        columns=("Predicted", METRIC_NAMES.get(one.metric, one.metric), *one.baselines),
        rows=tuple(
            (
                it.name,
                *(
                    interval_text(interval_of(scored.scores(one.metric), how))
                    for scored in (it.scored, *it.baselines.values())
                ),
            )
            for it in of_targets(one)
        ),
        title=f"{name[:1].upper()}{name[1:]}: each target",
        note=NOTE,
    )
