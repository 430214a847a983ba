"""Observations: what the ledger's facts say beside the scores. Nothing here is interpreted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sonde.core.words import in_words
from sonde.experiments.log.asked import none_or
from sonde.experiments.log.history import History, Standing, standing
from sonde.experiments.log.markdown import code, escape
from sonde.ledger.wording import IN_WORDS

MOST = 5  # massive dimensions that are named


def observations(history: History) -> str:
    """Return what stood out in the results that stand, once each."""
    lines: list[str] = []
    for name, entries in standing(history).items():
        said: dict[str, list[Standing]] = {}
        for entry in entries:
            for words in _of_stage(entry):
                said.setdefault(words, []).append(entry)
        lines += [
            f"{code(name)}{_where(of, whole=len(of) == len(entries))}: {words}"
            for words, of in said.items()
        ]
    return f"## Observations\n\n{none_or(lines, 'Nothing stood out.')}"


def _where(entries: Sequence[Standing], *, whole: bool) -> str:
    """Return the variants that something was seen in; nothing where it was in all."""
    labels = [code(label) for entry in entries for label in entry.variants if label]
    return f" in {', '.join(labels)}" if labels and not whole else ""


def _of_stage(entry: Standing) -> Iterable[str]:
    summary: Mapping[str, Any] = entry.stage["summary"]
    yield from map(escape, _losses(summary))
    yield from map(escape, _massive(summary))
    said = str(summary.get("join", ""))
    missing: Mapping[str, Any] = summary.get("missing") or {}
    sentences = (*(summary.get("cautions") or ()), *(summary.get("warnings") or ()))
    for text in dict.fromkeys((*map(str, sentences), *map(str, missing.values()))):
        if text != said:
            yield escape(text)
    yield from (
        f"{code(one.name)} has no number: {escape(one.not_applicable)}"
        for one in entry.results
        if one.score is None and one.metric != IN_WORDS
    )
    if entry.results and not missing:
        if not any(one.controls for one in entry.results):
            yield "its results have no control."
        if not any(one.baselines for one in entry.results):
            yield "its results have no baseline."


def _losses(summary: Mapping[str, Any]) -> Iterable[str]:
    """Yield what was lost between the data and the scores, and why."""
    if summary.get("skipped"):
        yield f"left out: {in_words(summary['skipped'])}."
    if summary.get("truncated"):
        yield f"{summary['truncated']:,} examples were shortened to fit the model's context."
    joined = str(summary.get("join", ""))
    if ";" in joined:  # a whole join says only how many joined
        yield joined
    if summary.get("failed"):
        yield f"fits that failed: {in_words(summary['failed'])}."


def _massive(summary: Mapping[str, Any]) -> Iterable[str]:
    """Yield the massive dimensions and the attention sinks that were found."""
    dimensions: Mapping[str, Mapping[str, Any]] = summary.get("dimensions") or {}
    if "n_dimensions" not in summary:
        return
    named = sorted(dimensions.items(), key=lambda item: -float(item[1]["peak"]))
    listed = [
        f"{name} ({one['peak']:,.0f} times the median coordinate, at layer {one['layer']}"
        f"{', severe' if one['severe'] else ''})"
        for name, one in named[:MOST]
    ]
    count = len(named)
    if not count:
        yield "no massive dimension."
    else:
        more = f", and {count - MOST} more" if count > MOST else ""
        yield f"{count} massive dimension{'' if count == 1 else 's'}: {', '.join(listed)}{more}."
    if summary.get("n_sinks"):
        yield f"{summary['n_sinks']:,} of {summary['n_tokens']:,} tokens are attention sinks."
