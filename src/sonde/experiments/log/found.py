"""What was found: for each stage a table of results, with what they are held against."""

from collections.abc import Mapping, Sequence
from typing import Any

from sonde.experiments.log.history import History, Standing, standing
from sonde.experiments.log.markdown import bullets, code, escape, table
from sonde.ledger.records import ResultRow
from sonde.ledger.wording import IN_WORDS, interval_in_words, number_in_words

NONE = "none"
WIDEST = 8  # variants beside each other


def found(history: History) -> dict[str, str]:
    """Return the results that stand, by stage."""
    sections: dict[str, str] = {}
    for name, entries in standing(history).items():
        shown = [entry for entry in entries if entry.results]
        if shown:
            body = _one(shown[0]) if len(shown) == 1 else _several(shown)
            sections[name] = f"### {code(name)}\n\n{body}"
    return sections


def _one(entry: Standing) -> str:
    """Return all results of one run of a stage."""
    of_run = f"Run {entry.run}" + (f", {_labels(entry)}" if any(entry.variants) else "")
    facts = [of_run, *_in_common(entry.results)]
    rows = [(code(one.name), one) for one in entry.results]
    return "\n\n".join(
        filter(None, (f"{'; '.join(facts)}.", _table("result", rows), _confusion(entry)))
    )


def _confusion(entry: Standing) -> str:
    """Return what the probe that was chosen said of each class; empty without classes."""
    known: Mapping[str, Any] | None = entry.stage["summary"].get("confusion")
    if not known:
        return ""
    labels: Sequence[str] = known["labels"]
    rows = [
        (escape(label), *(f"{count:,.0f}" for count in counts), f"{known['recalls'][label]:.3f}")
        for label, counts in zip(labels, known["counts"], strict=True)
    ]
    header = ("true class", *(f"said {escape(label)}" for label in labels), "recall")
    return table(header, rows, numbers=range(1, len(header)))


def _several(entries: Sequence[Standing]) -> str:
    """Return the headline of each variant, and the values of all results beside each other."""
    heads = [(_labels(entry), entry.results[0]) for entry in entries]
    what = f"Result {code(heads[0][1].name)} of every variant"
    facts = [what, *_in_common([result for _, result in heads])]
    parts = [f"{'; '.join(facts)}.", _table("variant", heads)]
    by_name = [{one.name: one for one in entry.results} for entry in entries]
    names = dict.fromkeys(name for results in by_name for name in results)
    if len(names) > 1 and len(entries) <= WIDEST:
        rows = [(code(name), *(_value(results.get(name)) for results in by_name)) for name in names]
        header = ("result", *(_labels(entry) for entry in entries))
        parts.append(table(header, rows, numbers=range(1, len(header))))
    return "\n\n".join(parts)


def _labels(entry: Standing) -> str:
    return " and ".join(code(label) if label else "no variant" for label in entry.variants)


def _in_common(results: Sequence[ResultRow]) -> list[str]:
    """Return what is the same of all results, in words."""
    measures = {_measure(one) for one in results}
    levels = {one.score.level for one in results if one.score is not None}
    facts = [measure for measure in measures if measure and len(measures) == 1]
    return facts + [f"{100 * level:g} % intervals" for level in levels if len(levels) == 1]


def _measure(result: ResultRow) -> str:
    metric = "" if result.metric == IN_WORDS else result.metric
    return escape(f"{result.method} {metric}".strip())


def _table(first: str, rows: Sequence[tuple[str, ResultRow]]) -> str:
    """Return results with what they are held against; what is the same for all is said once."""
    results = [result for _, result in rows]
    against = {**_against(results, "control"), **_against(results, "baseline")}
    shared = [
        f"{escape(name)} {cells[0]}" for name, cells in against.items() if _same(results, cells)
    ]
    columns = {name: cells for name, cells in against.items() if not _same(results, cells)}
    mixed = len({_measure(one) for one in results}) > 1
    header = (first, "measure", "value [interval]", *map(escape, columns), "n", "status")
    cells = [
        (
            label,
            _measure(one) if mixed else "",
            _score(one),
            *(column[number] for column in columns.values()),
            f"{one.score.n:,}" if one.score else "",
            _status(one),
        )
        for number, (label, one) in enumerate(rows)
    ]
    parts = [table(header, cells, numbers=range(2, len(header) - 1))]
    if shared:
        parts.insert(0, f"All against {', '.join(shared)}.")
    notes: dict[str, list[str]] = {}
    for label, one in rows:
        if one.note:
            notes.setdefault(escape(one.note), []).append(label)
    parts.append(bullets(f"{', '.join(labels)}: {note}" for note, labels in notes.items()))
    return "\n\n".join(filter(None, parts))


def _against(results: Sequence[ResultRow], kind: str) -> dict[str, list[str]]:
    """Return a cell for each result under the name of each control or baseline.

    Where no result has any, one column says so.
    """
    several = [one.controls if kind == "control" else one.baselines for one in results]
    names = list(dict.fromkeys(name for one in several for name in one)) or [kind]
    return {
        name: [interval_in_words(one[name].score) if name in one else NONE for one in several]
        for name in names
    }


def _same(results: Sequence[ResultRow], cells: Sequence[str]) -> bool:
    """Whether all results that have a number are held against the same one."""
    scored = {cell for cell, one in zip(cells, results, strict=True) if one.score is not None}
    return len(results) > 1 and len(scored) == 1 and cells[0] in scored - {NONE}


def _score(result: ResultRow) -> str:
    if result.metric == IN_WORDS:
        return escape(result.not_applicable)
    if result.score is None:
        return escape(f"not applicable: {result.not_applicable}")
    return interval_in_words(result.score)


def _status(result: ResultRow) -> str:
    if result.reference is None:
        return escape(result.status)
    reference = dict(result.reference)
    source = f", {escape(reference['source'])}" if reference.get("source") else ""
    stated = f"{reference.get('value'):g} ± {reference.get('tolerance'):g}"
    return f"{escape(result.status)} (stated {stated}{source})"


def _value(result: ResultRow | None) -> str:
    if result is None or result.score is None:
        return "–"
    return number_in_words(result.score.value)
