"""A search's results as two files: every answer as Parquet, everything about them as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sonde import __version__
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_atomic, write_json
from sonde.steering.answers import Answers
from sonde.steering.arms import ArmRow, SteeredBy
from sonde.steering.cliffs import Cliff, ScreenPoint
from sonde.steering.results import SteeringResults
from sonde.steering.settings import SearchSettings
from sonde.steering.task import SteeringTask
from sonde.steering.used_gate import GateRecord

ANSWERS, ABOUT = "answers.parquet", "steering.json"
FORMAT = 1
_NUMBERS = ("n_tokens", "finished", "margin", "log_likelihood", "trait", "mass", "coherence")


class TaskRecord(Config):
    """The task, as the file has it."""

    trait: str
    definition: str
    questions: tuple[str, ...]
    instruction: str
    frame: str
    groups: tuple[str, ...]


class PointRecord(Config):
    """A screened coefficient; null where the divergence was beyond its limit or is not finite."""

    coefficient: float
    divergence: float | None
    perplexity_ratio: float | None
    coherent: bool


class CliffRecord(Config):
    """A vector's cliff."""

    vector: str
    coherent: float | None
    incoherent: float | None
    points: tuple[PointRecord, ...]


class ResultsRecord(Config):
    """All of a search but its answers."""

    artifact: str
    format: int
    sonde_version: str
    task: TaskRecord
    settings: SearchSettings
    vectors: tuple[SteeredBy, ...]
    cliffs: tuple[CliffRecord, ...]
    arms: tuple[ArmRow, ...]
    judges: dict[str, Any]
    model: dict[str, Any]
    cost: float
    warnings: tuple[str, ...]
    gate: GateRecord | None = None


def save_results(results: SteeringResults, folder: Path) -> Path:
    """Write both files; the one that says what the answers are comes last."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    table = answers_table(results)
    write_atomic(folder / ANSWERS, lambda aside: pq.write_table(table, aside))
    about = {
        "artifact": "steering",
        "format": FORMAT,
        "sonde_version": __version__,
        "task": asdict(results.task),
        "settings": results.settings.model_dump(mode="json"),
        "vectors": [one.model_dump(mode="json") for one in results.vectors],
        "cliffs": [asdict(one) for one in results.cliffs],
        "arms": [one.model_dump(mode="json") for one in results.arms],
        "judges": dict(results.judges),
        "model": dict(results.model),
        "cost": results.cost,
        "warnings": list(results.warnings),
        "gate": results.gate and GateRecord.of(results.gate).model_dump(mode="json"),
    }
    write_json(folder / ABOUT, about)
    return folder


def answers_table(results: SteeringResults) -> Any:
    """Return every answer as a row of an Arrow table: the arm, the question, what was measured."""
    import pyarrow as pa

    answers, n = results.answers, results.n_questions
    vectors = {one.name: one for one in results.vectors}
    by_arm: dict[str, list[Any]] = {
        name: [getattr(arm, name) for arm in results.arms]
        for name in ("role", "vector", "coefficient", "raw")
    }
    of_arm = [vectors.get(arm.vector) for arm in results.arms]
    for name in ("method", "cleaning", "hook", "layer", "position"):
        by_arm[name] = [None if one is None else getattr(one, name) for one in of_arm]
    # Where several blocks are steered at once, ``layers`` has all of them and ``layer`` the first.
    by_arm["layers"] = [None if one is None else list(one.layers) for one in of_arm]
    columns: dict[str, Any] = {
        name: [value for value in values for _ in range(n)] for name, values in by_arm.items()
    }
    columns = {"arm": np.repeat(np.arange(len(results.arms)), n), **columns}
    columns["question"] = list(range(n)) * len(results.arms)
    columns["asked"] = list(results.task.questions) * len(results.arms)
    columns["answer"] = [text for row in answers.text for text in row]
    columns |= {name: getattr(answers, name).reshape(-1) for name in _NUMBERS}
    columns["reason"] = [reason for row in answers.reasons for reason in row]
    return pa.table(columns)


def load_results(folder: Path) -> SteeringResults:
    """Read both files.

    Raises:
        SondeError: the folder is not a search's, a file is damaged or the two do not fit.
    """
    given = read_json(folder / ABOUT)
    if not isinstance(given, dict) or given.get("artifact") != "steering":
        raise SondeError(f"{folder} holds no search.", fix="Give the folder of a steering result.")
    if given.get("format") != FORMAT:
        raise SondeError(
            f"{folder} has format {given.get('format')}; this sonde reads {FORMAT}.",
            fix=f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    about = validated(ResultsRecord, given, where=str(folder / ABOUT))
    return SteeringResults(
        task=SteeringTask(**about.task.model_dump()),
        settings=about.settings,
        vectors=about.vectors,
        cliffs=tuple(_cliff(one) for one in about.cliffs),
        arms=about.arms,
        answers=_answers(folder / ANSWERS, len(about.arms), len(about.task.questions)),
        judges=about.judges,
        model=about.model,
        cost=about.cost,
        warnings=about.warnings,
        gate=about.gate and about.gate.used(),
    )


def _cliff(record: CliffRecord) -> Cliff:
    points = tuple(
        ScreenPoint(
            one.coefficient, _number(one.divergence), _number(one.perplexity_ratio), one.coherent
        )
        for one in record.points
    )
    return Cliff(record.vector, record.coherent, record.incoherent, points)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _answers(path: Path, n_arms: int, n_questions: int) -> Answers:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise SondeError(
            f"{path} cannot be read ({error}).", fix="Copy or make it again."
        ) from None
    wanted = {*_NUMBERS, "answer", "reason"}
    if table.num_rows != n_arms * n_questions or not wanted <= set(table.column_names):
        raise SondeError(
            f"{path} has {table.num_rows} answers, and {n_arms} arms were asked {n_questions} "
            "questions.",
            fix="Copy both files of the folder again.",
        )

    def rows(name: str) -> tuple[tuple[str, ...], ...]:
        values: list[str] = table.column(name).to_pylist()
        starts = range(0, len(values), n_questions)
        return tuple(tuple(values[start : start + n_questions]) for start in starts)

    numbers = {
        name: table.column(name).to_numpy().reshape(n_arms, n_questions) for name in _NUMBERS
    }
    return Answers(text=rows("answer"), reasons=rows("reason"), **numbers)
