"""The table of a search: the unsteered model, the plain prompt, and each method at its best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sonde.core.errors import SondeError
from sonde.stats.effects import Effect
from sonde.stats.interval import Interval
from sonde.stats.scores import Scores
from sonde.steering.arms import RANDOM, ArmRow, Role, SteeredBy, blocks_in_words
from sonde.steering.results import UNSTEERED_ARM, Best, SteeringResults

By: TypeAlias = Literal["kind", "method", "cleaning", "position", "layer"]


@dataclass(frozen=True, slots=True, eq=False)
class TableRow:
    """One line of the table.

    ``trait`` is 0 to 1, a share of the judge's scale, and ``change`` what it is above the unsteered
    score, in pairs by question; None for the unsteered model itself. ``arm`` is what to use from
    now on, chosen by all questions; what is measured of a method at its best is measured on
    questions that had no part in its choice. ``coherence`` is None where nobody judged it.
    ``n_candidates`` are the coefficients and layers that it was chosen from.
    """

    name: str
    role: Role
    arm: ArmRow
    scores: Scores
    trait: Interval
    change: Effect | None
    coherence: Interval | None
    perplexity_ratio: Interval
    n_candidates: int = 0
    best: Best | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is a random vector."""
        return self.name.split("@")[0] == RANDOM


def evaluation_table(
    results: SteeringResults, by: Sequence[By] = ("kind", "position")
) -> tuple[TableRow, ...]:
    """Return the unsteered model, the plain prompt, and the best of each group of vectors.

    Within a group the layer, the coefficient and whatever ``by`` does not name are chosen together.

    Raises:
        SondeError: ``by`` is empty, or there are too few questions to choose by.
    """
    if not by:
        raise SondeError("A table was asked for by nothing.", fix='Give by=("kind",), for example.')
    rows = [_plain(results, UNSTEERED_ARM)]
    prompt = results.arm("prompt")
    if prompt is not None:
        rows.append(_plain(results, prompt))
    groups: dict[tuple[str, ...], list[str]] = {}
    for vector in results.vectors:
        groups.setdefault(tuple(_value(vector, name) for name in by), []).append(vector.name)
    for values, names in groups.items():
        arms = [arm for name in names for arm in results.of_vector(name)]
        rows.append(_best("@".join(values), results, arms))
    return tuple(rows)


def _value(vector: SteeredBy, name: By) -> str:
    return blocks_in_words(vector.layers) if name == "layer" else str(getattr(vector, name))


def _plain(results: SteeringResults, arm: int) -> TableRow:
    row = results.arms[arm]
    return TableRow(
        name=row.name,
        role=row.role,
        arm=row,
        scores=results.scores(arm),
        trait=results.trait(arm),
        change=None if arm == UNSTEERED_ARM else results.change(arm),
        coherence=results.coherence(arm),
        perplexity_ratio=results.perplexity_ratio(arm),
    )


def _best(name: str, results: SteeringResults, arms: Sequence[int]) -> TableRow:
    best = results.best(arms)
    return TableRow(
        name=name,
        role="steered",
        arm=best.arm,
        scores=best.scores,
        trait=best.trait,
        change=best.change,
        coherence=best.coherence,
        perplexity_ratio=best.perplexity_ratio,
        n_candidates=len(arms),
        best=best,
    )
