"""How a probe's ranking agrees with comparisons, as a stage keeps it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.experiments.stages.probe_results import FOLDER, numbers
from sonde.ledger.records import Against, Measured

if TYPE_CHECKING:
    from sonde.probes.agreement import RankAgreement

PAIRS, TAU = "pair_accuracy", "kendall_tau"
RANKING = (PAIRS, TAU)  # the names of the results
RANKED = f"{FOLDER}/ranking.parquet"


def write_ranking(found: "RankAgreement", path: Path) -> None:
    """Write a row for each comparison with a winner, of controls too, and one for each item."""
    from sonde.probes.per_unit import repetition, write_series

    series = {PAIRS: found.compared, TAU: found.ranked}
    series |= {name: one.scored for name, one in found.baselines.items()}
    for name, control in found.controls.items():
        named = (repetition(PAIRS, name, number) for number in range(len(control.scored)))
        series |= dict(zip(named, control.scored, strict=True))
    write_series({name: ("", "", one) for name, one in series.items()}, path)


def ranking_summary(found: "RankAgreement") -> dict[str, Any]:
    """Return the agreement with comparisons; ``n`` counts items."""
    return {
        PAIRS: numbers(found.pairs.accuracy),
        TAU: numbers(found.tau),
        "ranked_pairs": found.pairs.n,
        "ranked_ties": found.pairs.ties,
        "without_utility": found.left_out,
    }


def measured_ranking(found: "RankAgreement", method: str) -> list[Measured]:
    """Return the share of comparisons ranked right, with controls and baselines, and the tau.

    The tau is of all pairs of items, so it has no score of a single unit.
    """
    from sonde.probes.per_unit import repetition

    return [
        Measured(
            name=PAIRS,
            metric="mean",
            score=found.pairs.accuracy,
            method=method,
            controls={
                name: Against(
                    one.score, tuple(repetition(PAIRS, name, at) for at in range(len(one.scored)))
                )
                for name, one in found.controls.items()
            },
            baselines={name: Against(one.score, (name,)) for name, one in found.baselines.items()},
            units=RANKED,
            series=PAIRS,
            note="share of comparisons whose winner the probe puts ahead, out of fold",
        ),
        Measured(
            name=TAU,
            metric=TAU,
            score=found.tau,
            method=method,
            note="tau-b of what the probe says, out of fold, and the comparisons' utilities",
        ),
    ]
