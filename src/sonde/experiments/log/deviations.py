"""Deviations from the plan: claims and settings that changed, stages left out, wrong estimates."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sonde.core.quantities import bytes_in_words, seconds_in_words
from sonde.core.words import in_words
from sonde.experiments.claims.specification import content_of
from sonde.experiments.log.asked import minute, none_or
from sonde.experiments.log.history import History, runs_in_words
from sonde.experiments.log.markdown import code, escape
from sonde.experiments.log.ran import most_memory
from sonde.experiments.spec import Specification
from sonde.ledger.records import SKIPPED, Registration, RunDetail

FACTOR = 2.0  # an estimate that is off by more than this is said
LEAST_SECONDS, LEAST_BYTES = 10.0, 1e9  # below, an estimate's error costs nobody anything
# What a run's settings hold that is said elsewhere, or that decides no number.
APART = ("name", "question", "claims", "sweep", "track")


def deviations(spec: Specification, history: History) -> str:
    """Return where what was done is not what was planned; each line once, with its runs."""
    lines: dict[str, list[int]] = {}
    for run, words in (*_of_runs(history), *_settings(history)):
        lines.setdefault(words, []).append(run)
    said = [*_claims(spec, history)]
    said += [f"{_capital(runs_in_words(runs))}: {words}" for words, runs in lines.items()]
    return f"## Deviations from the plan\n\n{none_or(said, 'The ledger knows of none.')}"


def _claims(spec: Specification, history: History) -> Iterator[str]:
    by_id = {one.id: one for one in history.claims}
    for one in history.claims:
        when = minute(one.registered)
        if one.after_results:
            yield f"Claim {code(one.name)} was registered {when}, after results were there."
        if one.replaces is not None:
            changed = _differences(by_id[one.replaces], one) if one.replaces in by_id else ""
            yield f"Claim {code(one.name)} was changed {when}: {changed or 'its content'}."
    registered = dict.fromkeys(one.name for one in history.claims)
    for name in spec.claims:
        if name in registered and not history.registered(name, content_of(name, spec.claims)):
            yield f"Claim {code(name)} says in the file what is not registered yet."
    for name in registered:
        if name not in spec.claims:
            yield f"Claim {code(name)} was registered, and is no longer in the file."


def _differences(before: Registration, after: Registration) -> str:
    return "; ".join(_changes(before.content, after.content))


def _of_runs(history: History) -> Iterator[tuple[int, str]]:
    """Yield what deviated within each run."""
    for detail in history.runs:
        number = int(detail.run["id"])
        for override in detail.run["overrides"]:
            yield number, f"run with {code(f'--set {override}')}."
        if detail.run["dirty"]:
            yield number, "the repository of the experiment file had uncommitted changes."
        for stage in detail.stages:
            name = code(stage["name"])
            if stage["state"] == SKIPPED:
                yield number, f"{name} was left out, {escape(stage['reason'])}."
            for words in _estimates(stage):
                yield number, f"{name} {words}"


def _estimates(stage: Mapping[str, Any]) -> Iterator[str]:
    """Yield estimates that were off by more than ``FACTOR``, where that matters."""
    planned, cost = dict(stage["planned"]), dict(stage["cost"])
    seconds, expected = cost.get("seconds"), planned.get("seconds")
    if _off(seconds, expected, LEAST_SECONDS):
        took, plan = seconds_in_words(seconds), seconds_in_words(expected)
        yield f"took {took}, and {plan} was planned."
    memory, expected = most_memory(cost), planned.get("memory")
    if _off(memory, expected, LEAST_BYTES):
        assert memory is not None
        yield f"needed {bytes_in_words(memory)} of memory, and {_size(expected)} was planned."


def _size(count: Any) -> str:
    return bytes_in_words(float(count))


def _off(actual: Any, planned: Any, least: float) -> bool:
    if actual is None or planned is None or max(actual, planned) < least:
        return False
    low, high = sorted((float(actual), float(planned)))
    return high > FACTOR * low


def _settings(history: History) -> Iterator[tuple[int, str]]:
    """Yield the settings and versions that changed from one run of a variant to the next."""
    before: dict[str, RunDetail] = {}
    for detail in history.runs:
        label, number = str(detail.run["variant"]), int(detail.run["id"])
        last = before.get(label)
        before[label] = detail
        if last is None:
            continue
        kept = _kept_claims(history, str(last.run["started"]))
        of_variant = " of the same variant" if label else ""
        while_claims = f" while {kept} stayed the same" if kept else ""
        for change in _changes(_decisive(last.run), _decisive(detail.run)):
            yield number, f"{change} since the run before{of_variant}{while_claims}."
        for what in ("versions", "hardware"):
            changed = list(_changes(last.run[what], detail.run[what]))
            if changed:
                yield number, f"other {what}: {'; '.join(changed)}."


def _decisive(run: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in run["resolved"].items() if key not in APART}


def _kept_claims(history: History, since: str) -> str:
    """Return the claims that were registered by a time, and not changed after it."""
    later = {one.name for one in history.claims if one.registered > since}
    kept = [one.name for one in history.claims if one.name not in later]
    names = ", ".join(code(name) for name in dict.fromkeys(kept))
    return f"claim{'s' if len(set(kept)) > 1 else ''} {names}" if names else ""


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``path from this to that`` for every value that differs."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in dict.fromkeys((*old, *new)):
        if old.get(path) != new.get(path):
            yield f"{code(path)} from {_said(old, path)} to {_said(new, path)}"


def _said(values: Mapping[str, Any], path: str) -> str:
    if path not in values:
        return "nothing"
    words = escape(in_words(values[path], path), longest=120)
    # A sentence would run into the words around it.
    return f"“{words}”" if " " in words and isinstance(values[path], str) else words


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
