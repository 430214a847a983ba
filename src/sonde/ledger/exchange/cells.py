"""The cells of a run in the table that people keep by hand: 18 columns, each in words."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, cast

from sonde.core.quantities import dollars_in_words, energy_in_words, seconds_in_words
from sonde.ledger.exchange.record import RunRecord, VerdictRecord
from sonde.ledger.intervals import interval_read
from sonde.ledger.records import DONE, REUSED, SMOKE, SUPERSEDED, ResultRow
from sonde.ledger.wording import difference_in_words, result_in_words

RESULTS = 6  # that are written out of a stage that chose none
CHOSEN = "selected"
NO_RESULT = "no result"


def cells_of(run: RunRecord) -> tuple[str, ...]:
    """Return a run's cells in the order of ``COLUMNS``.

    A fact of a column's name takes its place, so a row that came from a table stays as it was. Has
    another run replaced it since, its status and notes say so.
    """
    facts = cast("Mapping[str, Any]", run.facts)
    found = {
        column: str(facts[column]) if column in facts else make(run)
        for column, make in _CELLS.items()
    }
    replaced = run.replaced[-1] if run.replaced else None
    if replaced and not any(
        replaced.label and replaced.label in found[column] for column in ("status", "notes")
    ):
        by = f"{run.shown} by {replaced.label or replaced.by}"
        found["status"] = _joined(found["status"], by, between=", ")
        found["notes"] = _joined(found["notes"], _sentence(f"{by.capitalize()}: {replaced.why}"))
    return tuple(found.values())


def _commit(run: RunRecord) -> str:
    if not run.commit_hash:
        return ""
    return run.commit_hash[:7] + (" and changes" if run.dirty else "")


def _command(run: RunRecord) -> str:
    if not run.spec_path:
        return ""
    changes = "".join(f" --set {change}" for change in run.overrides)
    variant = f" [{run.variant}]" if run.variant else ""
    return f"sonde run {PurePath(run.spec_path).name}{changes}{variant}"


def _stages(run: RunRecord) -> Iterator[Mapping[str, Any]]:
    """Go through the settings of the stages, as the experiment file has them."""
    resolved = cast("Mapping[str, Any]", run.resolved)
    stages = resolved.get("stages")
    if isinstance(stages, Mapping):
        for stage in cast("Mapping[str, Any]", stages).values():
            if isinstance(stage, Mapping):
                yield cast("Mapping[str, Any]", stage)


def _hook_points(run: RunRecord) -> str:
    found: list[str] = []
    for stage in _stages(run):
        hooks = _listed(stage.get("hooks"))
        layers = ",".join(_listed(stage.get("layers")))
        where = {"all": "*"}.get(layers, layers)
        where = f"{{{where}}}" if "," in where else where
        found += [hook if "." in hook else f"blocks.{where}.{hook}" for hook in hooks]
    return ", ".join(dict.fromkeys(found))


def _kind(run: RunRecord) -> str:
    having = {stage.kind for stage in run.stages if stage.results}
    found: list[str] = []
    for stage in _stages(run):
        kind = str(stage.get("kind", ""))
        method = stage.get("method")
        name = cast("Mapping[str, Any]", method).get("kind") if isinstance(method, Mapping) else ""
        if kind in having or not having:
            found.append(f"{kind} ({name})" if name else kind)
    return ", ".join(dict.fromkeys(found))


def _data(run: RunRecord) -> str:
    found: list[str] = []
    for stage in _stages(run):
        path, limit = stage.get("path"), stage.get("limit")
        if stage.get("kind") == "data" and path:
            found.append(f"{path}[:{limit}]" if limit else str(path))
    return ", ".join(dict.fromkeys(found))


def _tokens(run: RunRecord) -> str:
    """Return the tokens that models read, as the stages counted them or, before that, the plan."""
    counts = [
        cast("Mapping[str, Any]", where).get("tokens")
        for stage in run.stages
        for where in ((stage.summary,) if "tokens" in stage.summary else (stage.planned,))
        if stage.state in (DONE, REUSED)
    ]
    found = [count for count in counts if isinstance(count, int) and count]
    return f"{sum(found):,}" if found else ""


def _hardware(run: RunRecord) -> str:
    hardware = cast("Mapping[str, Any]", run.hardware)
    gpus = Counter(_listed(hardware.get("gpus")))
    if gpus:
        return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in gpus.items())
    cpu, cores = hardware.get("cpu"), hardware.get("cores")
    return f"{cpu}, {cores} cores" if cpu and cores else str(cpu or "")


def _cost(run: RunRecord) -> str:
    cost = cast("Mapping[str, Any]", run.cost)
    dollars, joules = cost.get("dollars"), cost.get("joules")
    parts = [dollars_in_words(dollars)] if dollars else []
    return ", ".join(parts if joules is None else [*parts, energy_in_words(joules)])


def _written_out(run: RunRecord) -> tuple[list[ResultRow], list[str]]:
    """Return the results that have a place in one row, and what is left out, in words.

    Of a stage that chose one, such as a probe on every layer, that is the chosen one.
    """
    by_stage: dict[str, list[ResultRow]] = {}
    for result in run.results():
        by_stage.setdefault(result.stage, []).append(result)
    found: list[ResultRow] = []
    left_out: list[str] = []
    for stage, results in by_stage.items():
        chosen = [result for result in results if result.name == CHOSEN]
        shown = chosen or results[:RESULTS]
        found += shown
        if len(shown) < len(results):
            left_out.append(f"{stage}: {len(results) - len(shown)} more")
    return found, left_out


def _results(run: RunRecord) -> str:
    found, left_out = _written_out(run)
    return "; ".join([*map(result_in_words, found), *left_out]) or NO_RESULT


def _status(run: RunRecord) -> str:
    """Return what the results are beside what was known, or the state of the run."""
    if run.shown == SUPERSEDED:
        return ""
    given = dict.fromkeys(result.status for result in _written_out(run)[0] if result.status)
    return ", ".join(given) or run.state


def _notes(run: RunRecord) -> str:
    found, _ = _written_out(run)
    # Why a result is inconclusive is not why its run was superseded, which `Superseded by` says.
    shown = "" if run.shown == SUPERSEDED else " {0.status}"
    whys = [
        f"{result.stage}.{result.name}{shown.format(result)}: {result.status_why}"
        for result in found
        if result.status and result.status_why
    ]
    notes = dict.fromkeys(result.note for result in found if result.note)
    smoke = "Smoke run: no claim." if run.purpose == SMOKE else ""
    verdicts = map(_verdict, run.verdicts)
    parts = (smoke, run.question, run.reason, *verdicts, *whys, *notes)
    return _joined(*map(_sentence, parts))


def _verdict(verdict: VerdictRecord) -> str:
    effect = interval_read(verdict.effect)
    numbers = f", {difference_in_words(effect)}" if effect else ""
    return f"Claim {verdict.claim} {verdict.verdict}{numbers}: {verdict.why}"


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    several = cast("list[Any]", value if isinstance(value, list | tuple) else [value])
    return [str(one) for one in several]


def _sentence(text: str) -> str:
    return text if not text or text.rstrip()[-1:] in ".!?:;" else f"{text}."


def _joined(*parts: str, between: str = " ") -> str:
    return between.join(part for part in parts if part)


_CELLS: Mapping[str, Callable[[RunRecord], str]] = {
    "run id": lambda run: run.label,
    "date": lambda run: run.started[:10],
    "command": _command,
    "commit": _commit,
    "model": lambda run: run.model,
    "hook point": _hook_points,
    "kind": _kind,
    "width": lambda run: "",  # of a dictionary; the run's facts know it
    "sparsity/L0": lambda run: "",
    "data": _data,
    "tokens": _tokens,
    "seed": lambda run: str(run.seed),
    "hardware": _hardware,
    "time": lambda run: seconds_in_words(run.seconds),
    "cost": _cost,
    "result": _results,
    "status": _status,
    "notes": _notes,
}
COLUMNS = tuple(_CELLS)
