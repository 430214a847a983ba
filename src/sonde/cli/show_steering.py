"""``sonde show`` of what a search found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde.cli.console import heading, say, table
from sonde.cli.results import print_summary
from sonde.core.words import in_words
from sonde.experiments.stages.steer_results import steer_summary
from sonde.steering.evaluation import evaluation_table
from sonde.steering.limits import in_words as limit_in_words
from sonde.steering.results import SteeringResults


def show_steering(path: Path) -> None:
    """Print a search: what was asked of whom, the table of the best, each vector's cliff."""
    found = SteeringResults.load(path)
    settings = found.settings
    steps = f", of the tokens {settings.steps}" if settings.steps else ""
    say(f"A search: {len(found.vectors)} vectors steered towards {found.task.trait}")
    facts = (
        ("model", str(found.model.get("name", ""))),
        ("revision", str(found.model.get("revision", ""))),
        ("weights", str(found.model.get("fingerprint", ""))),
        ("definition", found.task.definition),
        ("plain prompt", found.task.asked_plainly),
        ("questions", f"{found.n_questions:,}"),
        ("answers", f"{len(found.arms) * found.n_questions:,}"),
        ("edit", f"{settings.kind}, {settings.when} tokens{steps}, {settings.towards}"),
        ("steered only", "" if found.gate is None else str(found.gate)),
        ("limit", limit_in_words(settings.limit)),
        *((f"{aspect} by", _judge(key)) for aspect, key in found.judges.items()),
        ("cost", in_words(found.cost) if found.cost else ""),
    )
    table(("", ""), [(f"  {name}", said) for name, said in facts if said])
    several = len({one.position for one in found.vectors}) > 1
    rows = evaluation_table(found, by=("kind", "position") if several else ("kind",))
    print_summary("best", steer_summary(found, rows))
    every = "" if found.gate is None else " with every token steered"
    heading(f"Where the text breaks{every}, in typical norms")
    table(
        ("vector", "coherent up to", "incoherent from", "typical norm", "massive share"),
        [
            (
                cliff.vector,
                in_words(cliff.coherent),
                in_words(cliff.incoherent),
                in_words([at.typical_norm for at in found.vector(cliff.vector).places]),
                ", ".join(f"{at.massive_share:.0%}" for at in found.vector(cliff.vector).places),
            )
            for cliff in found.cliffs
        ],
        numbers=4,
    )
    for warning in found.warnings:
        say(f"Caution: {warning}")
    heading("Files")
    say(f"  every answer with its scores: {path / 'answers.parquet'}")


def _judge(key: Mapping[str, Any] | None) -> str:
    """Name a judge by its kind, and by its model where it has one; nobody judges as None."""
    given = key or {}
    return ", ".join(str(given[name]) for name in ("kind", "model", "url") if name in given)
