"""What a search gives to the ledger, to gates, and to the table that people read."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.ledger.records import Against, Measured
from sonde.ledger.units import write_scores
from sonde.steering.arms import blocks_in_words
from sonde.steering.limits import in_words

if TYPE_CHECKING:
    from sonde.stats.interval import Interval
    from sonde.steering.evaluation import TableRow
    from sonde.steering.results import SteeringResults
    from sonde.steering.used_gate import UsedGate

UNITS = "units.parquet"
AGAINST = UNSTEERED, PROMPT, RANDOM = "unsteered", "plain prompt", "random vector"


def result_name(kind: str, position: str = "") -> str:
    """Return how a claim names a result: ``mean_difference top-1 response[:5].mean``."""
    return " ".join(part for part in (kind.replace("/", " "), position) if part)


def steer_results(rows: "Sequence[TableRow]", several: bool, path: Path) -> tuple[Measured, ...]:
    """Return a result for each kind, held against the unsteered, prompted and random texts.

    Each row's scores by question go to the file of units at ``path``.
    """
    by_name = {_series(row, several): row for row in rows}
    write_scores({name: row.scores for name, row in by_name.items()}, path)
    plain = {name: Against(row.trait, (name,)) for name, row in by_name.items() if not row.best}
    random = next((name for name, row in by_name.items() if row.is_control), None)
    controls = {} if random is None else {RANDOM: Against(by_name[random].trait, (random,))}
    return tuple(
        Measured(
            name=name,
            metric=row.scores.metric,
            score=row.trait,
            method=row.name.split("@")[0],
            controls={} if name == random else controls,
            baselines=plain,
            units=UNITS,
            series=name,
            note=f"{row.arm.name}; chosen of {row.n_candidates} by other questions",
        )
        for name, row in by_name.items()
        if row.best
    )


def _series(row: "TableRow", several: bool) -> str:
    if row.role != "steered":
        return UNSTEERED if row.role == "unsteered" else PROMPT
    kind, _, position = row.name.partition("@")
    return result_name(kind, position if several else "")


def steer_summary(found: "SteeringResults", rows: "Sequence[TableRow]") -> dict[str, Any]:
    """Return the numbers that gates and tables read."""
    return {
        "table": _table(found, rows),
        "trait": found.task.trait,
        "questions": found.n_questions,
        "cost": found.cost,
        "gate": None if found.gate is None else _gate(found.gate),
        "cliffs": {
            cliff.vector: {"coherent": cliff.coherent, "incoherent": cliff.incoherent}
            for cliff in found.cliffs
        },
        "best": {
            row.name: {
                "coefficient": row.arm.coefficient,
                "raw": row.arm.raw,
                "vector": row.arm.vector,
                "layers": list(_layers(found, row)),
                "trait": row.trait.value,
                "change": None if row.change is None else row.change.interval.value,
                "perplexity_ratio": row.perplexity_ratio.value,
            }
            for row in rows
        },
        "warnings": list(found.warnings),
    }


def _gate(used: "UsedGate") -> dict[str, Any]:
    known = not math.isnan(used.open_share)
    return {"hook": str(used.gate.hook), "open": used.open_share if known else None}


def _layers(found: "SteeringResults", row: "TableRow") -> tuple[int, ...]:
    """Return the blocks that a row of the table is steered at; none where it is not."""
    return found.vector(row.arm.vector).layers if row.arm.role == "steered" else ()


def _table(found: "SteeringResults", rows: "Sequence[TableRow]") -> dict[str, Any]:
    """Return the table: a line for the unsteered model, the plain prompt, each kind of vector."""
    judged = any(row.coherence is not None for row in rows)
    columns = ["steered by", "block", "coefficient", "raw", found.task.trait, "change"]
    columns += [*(["coherence"] if judged else []), "perplexity ratio"]
    return {
        "title": f"Steering {found.task.trait}: the best within the limit",
        "columns": columns,
        "rows": [
            [
                _named(row),
                blocks_in_words(_layers(found, row)) or "–",
                _coefficient(row.arm.coefficient),
                row.arm.raw_in_words,
                _points(row.trait),
                _change(row),
                *([_points(row.coherence) if row.coherence else "–"] if judged else []),
                f"{row.perplexity_ratio.value:.2f}",
            ]
            for row in rows
        ],
        "note": _note(found),
    }


def _named(row: "TableRow") -> str:
    if row.role == "prompt":
        return "plain prompt"
    if row.best is not None and not row.best.found:
        return f"{row.name} (none within the limit)"
    return row.name


def _coefficient(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _change(row: "TableRow") -> str:
    if row.change is None:
        return "–"
    return _points(row.change.interval, "+")


def _points(score: "Interval", sign: str = "") -> str:
    """Write a share of the judge's scale as points of 100: ``12.5 [8.0, 17.1]``.

    Scores that are all alike, of a few questions, bound nothing: ``35.0 (no interval)``.
    """
    ends = [
        f"{round(100 * end, 1) + 0.0:{sign}.1f}" for end in (score.value, score.low, score.high)
    ]
    unknown = math.isnan(score.low) or math.isnan(score.high)
    return f"{ends[0]} (no interval)" if unknown else f"{ends[0]} [{ends[1]}, {ends[2]}]"


def _note(found: "SteeringResults") -> str:
    gate = "" if found.gate is None else f" Tokens are steered only {found.gate}."
    return (
        f"{found.n_questions} questions; scores are points of 100. Coefficients are in typical "
        f"norms of their layer; the limit is {in_words(found.settings.limit)}. Coefficient and "
        "layer are chosen by some questions and the scores are those of the others; changes are "
        f"in pairs by question.{gate}"
    )
