"""The set-up: model, data, positions, hardware, versions, commit and seed, run by run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sonde.core.quantities import bytes_in_words
from sonde.core.words import in_words
from sonde.experiments.log.asked import given_file
from sonde.experiments.log.history import History, runs_in_words
from sonde.experiments.log.markdown import bullets, code, escape
from sonde.ledger.records import DONE, REUSED, RunDetail

ELSEWHERE = ("model", "run id")  # facts that other lines say
READS = ("hooks", "layers", "site", "positions", "template", "too_long")


def setup(history: History) -> str:
    """Return what everything was done with; what differed between runs is said with the runs."""
    facts = _Facts(len(history.runs))
    for detail in history.runs:
        run = detail.run
        number = int(run["id"])
        for kind, words in _of_stages(detail):
            facts.add(kind, words, number)
        facts.add("Hardware", _hardware(run["hardware"]), number)
        facts.add("Versions", _versions(run["versions"]), number)
        facts.add("Commit", _commit(run), number)
        facts.add("Seed", str(run["seed"]), number)
        for name, value in dict(run["facts"]).items():
            if name not in ELSEWHERE:
                facts.add(escape(name.capitalize()), escape(value), number)
    return "\n\n".join(("## Setup", bullets(facts.lines()), given_file(history)))


class _Facts:
    """What was found of each kind, with the runs that it is true of."""

    def __init__(self, n_runs: int) -> None:
        self._n_runs = n_runs
        self._found: dict[str, dict[str, list[int]]] = {}

    def add(self, kind: str, words: str, run: int) -> None:
        """Note a fact about a run."""
        if words:
            self._found.setdefault(kind, {}).setdefault(words, []).append(run)

    def lines(self) -> Iterable[str]:
        """Return a line for each kind, or for each fact of it where there are several."""
        for kind, found in self._found.items():
            for words, runs in found.items():
                whole = len(set(runs)) == self._n_runs
                yield f"{kind}: {words}" + ("" if whole else f" ({runs_in_words(runs)})")


def _of_stages(detail: RunDetail) -> Iterable[tuple[str, str]]:
    """Yield what a run's stages worked with: models, data, and what was read where."""
    for stage in detail.stages:
        if stage["state"] not in (DONE, REUSED):
            continue
        made_of: Mapping[str, Any] = stage["made_of"]
        settings: Mapping[str, Any] = made_of.get("settings") or {}
        if made_of.get("model"):
            yield "Model", _model(made_of["model"], _name_of_model(detail, str(stage["name"])))
        if stage["kind"] == "data":
            yield "Data", f"{code(stage['name'])}: {_data(stage, detail)}"
        if stage["kind"] in ("extract", "massive_dimensions", "moments"):
            read = {name: settings[name] for name in READS if settings.get(name) is not None}
            yield "Read", f"{code(stage['name'])}: {escape(in_words(read))}"


def _name_of_model(detail: RunDetail, stage: str) -> str:
    """Return the name that the file gives a stage's model: its own, or the experiment's."""
    own: Mapping[str, Any] | None = _given(detail, stage).get("model")
    return str(own["name"]) if own else str(detail.run["model"])


def _given(detail: RunDetail, stage: str) -> Mapping[str, Any]:
    """Return the settings that the file gave a stage; none in a run that was imported."""
    stages: Mapping[str, Mapping[str, Any]] = detail.run["resolved"].get("stages") or {}
    return stages.get(stage) or {}


def _model(identity: Mapping[str, Any], name: str) -> str:
    """Return a model's name, and what says which weights it had."""
    weights: Mapping[str, Any] = identity.get("weights") or {}
    known = str(weights.get("name", ""))
    parts = [code(name or known)]
    if name and known not in (name, "random", "folder", "gguf", ""):
        parts.append(f"weights of {code(known)}")
    for kind in ("revision", "fingerprint"):
        if weights.get(kind):
            parts.append(f"{kind} {code(weights[kind])}")
    parts.append(escape(identity.get("dtype", "")))
    if identity.get("quantise"):
        parts.append(f"quantised to {identity['quantise']} bits")
    if identity.get("seed") is not None:
        parts.append(f"random weights of seed {identity['seed']}")
    return ", ".join(part for part in parts if part)


def _data(stage: Mapping[str, Any], detail: RunDetail) -> str:
    summary: Mapping[str, Any] = stage["summary"]
    given = _given(detail, str(stage["name"]))
    words = [f"{summary.get('n', 0):,} examples"]
    if given.get("path"):
        words[0] += f" of {code(given['path'])}"
    words.append(f"{summary.get('labelled', 0):,} labelled")
    if summary.get("groups"):
        words.append(f"in {summary['groups']:,} groups")
    if summary.get("labels"):
        words.append(f"labels {escape(in_words(summary['labels']))}")
    if summary.get("skipped"):
        words.append(f"left out {escape(in_words(summary['skipped']))}")
    return ", ".join(words)


def _hardware(hardware: Mapping[str, Any]) -> str:
    gpus: Sequence[str] = hardware.get("gpus") or []
    parts = [f"{len(gpus)} × {gpus[0]}" if len(gpus) > 1 else gpus[0]] if gpus else []
    if hardware.get("cpu"):
        cores = hardware.get("cores")
        parts.append(f"{hardware['cpu']}" + (f" ({cores} cores)" if cores else ""))
    if hardware.get("memory"):
        parts.append(f"{bytes_in_words(float(hardware['memory']))} of memory")
    if hardware.get("system"):
        parts.append(str(hardware["system"]))
    return escape(", ".join(parts))


def _versions(versions: Mapping[str, Any]) -> str:
    return escape(", ".join(f"{name} {version}" for name, version in versions.items()))


def _commit(run: Mapping[str, Any]) -> str:
    commit = run["commit_hash"]
    if not commit:
        return ""
    return code(str(commit)[:12]) + (" with uncommitted changes" if run["dirty"] else "")
