"""Each of several targets alone, at the choice that was made for all of them together."""

from collections.abc import Mapping
from dataclasses import dataclass

from sonde.probes.results import ProbeResults
from sonde.probes.scored import Scored


@dataclass(frozen=True, slots=True, eq=False)
class OfTarget:
    """What was said of one target, by the fits that predict all of them.

    ``controls`` has the repetitions of each control by name, ``baselines`` each baseline. Numbers
    are standardised by the target's mean and spread, to which R2 is blind.
    """

    name: str
    scored: Scored
    controls: Mapping[str, tuple[Scored, ...]]
    baselines: Mapping[str, Scored]


def of_targets(found: ProbeResults) -> tuple[OfTarget, ...]:
    """Take the lines of each target; none where a row has one number or a class."""
    if not found.several_targets:
        return ()
    step, selection = len(found.labels), found.selection
    return tuple(
        OfTarget(
            name=name,
            scored=selection.scored.every(step, start),
            controls={
                control: tuple(each.every(step, start) for each in one.scored)
                for control, one in selection.controls.items()
            },
            baselines={key: one.scored.every(step, start) for key, one in found.baselines.items()},
        )
        for start, name in enumerate(found.labels)
    )
