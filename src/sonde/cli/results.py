"""The tables of results that a run ends with."""

from collections.abc import Mapping, Sequence
from typing import Any

from sonde.cli.claims import print_claims
from sonde.cli.console import heading, say, table
from sonde.core.words import in_words, true_minus
from sonde.experiments.reports import VariantReport
from sonde.probes.names import in_order

TOP = 5


def print_results(reports: Sequence[VariantReport]) -> None:
    """Print what each stage found, probes as a table of their best layers, and the verdicts."""
    for report in reports:
        if report.label:
            heading(f"[{report.label}]")
        for stage in report.stages:
            if stage.finished.skipped:
                say(f"{stage.name}: skipped {stage.finished.skipped}")
            else:
                print_summary(stage.name, stage.finished.summary, short=True)
    print_claims([claim for report in reports for claim in report.claims])
    if len(reports) > 1:
        print_sweep(reports)


def print_sweep(reports: Sequence[VariantReport]) -> None:
    """Print the first result of every stage that has one, a row for each variant of a sweep."""
    summaries = [
        (one.label, {name: it.summary for name, it in one.finished.items()}) for one in reports
    ]
    names = dict.fromkeys(
        name for _, found in summaries for name, summary in found.items() if headline(summary)
    )
    if not names:
        return
    heading("All variants")
    table(
        ("variant", *names),
        [
            (label, *(headline(found.get(name, {})) or "–" for name in names))
            for label, found in summaries
        ],
    )


def headline(summary: Mapping[str, Any]) -> str:
    """Return a stage's first number with its interval; empty where it measures nothing."""
    return words(summary["selected"]) if summary.get("selected") else ""


def print_summary(name: str, summary: Mapping[str, Any], *, short: bool = False) -> None:
    """Print a stage's summary; ``short`` leaves out stages whose numbers are for other stages."""
    if "selected" in summary:
        _print_probe(name, summary)
    elif "dimensions" in summary:
        _print_massive(name, summary)
    elif "table" in summary:
        _print_table(name, summary["table"])
    elif not short:
        table(("", ""), [(key, in_words(value, key)) for key, value in summary.items()])


def _print_probe(name: str, summary: Mapping[str, Any]) -> None:
    heading(f"{name}: {summary['method']} probe, {summary['metric']}, n = {summary['n']:,}")
    layers: Mapping[str, Any] = summary["layers"]
    ranked = sorted(layers.items(), key=_score, reverse=True)
    controls = in_order({control for layer in layers.values() for control in layer["controls"]})
    table(
        ("hook point", "score [95 % interval]", *controls),
        [
            (hook, words(layer), *(words(layer["controls"].get(name)) for name in controls))
            for hook, layer in ranked[:TOP]
        ],
    )
    if len(ranked) > TOP:
        say(f"… and {len(ranked) - TOP} more")
    say("Layer chosen inside the training folds, and the same without what it should rest on:")
    against = {**summary["controls"], **summary["baselines"]}
    table(
        ("", ""),
        [
            ("chosen", words(summary["selected"])),
            *((name, words(against[name])) for name in in_order(against)),
        ],
    )
    if "pair_accuracy" in summary:
        _print_ranking(summary)
    for absence in summary["missing"].values():
        say(str(absence))
    say(summary["join"])
    for caution in summary["cautions"]:
        say(f"Caution: {caution}")
    for warning in (text for text in summary["warnings"] if text != summary["join"]):
        say(f"Note: {warning}")


def _print_ranking(summary: Mapping[str, Any]) -> None:
    ties = summary["ranked_ties"]
    say(
        f"Its out-of-fold ranking against {summary['ranked_pairs']:,} comparisons with a winner"
        f"{f' ({ties:,} ties apart)' if ties else ''}; 0.5 and 0 are chance:"
    )
    table(
        ("", ""),
        [
            ("pair accuracy", words(summary["pair_accuracy"])),
            ("Kendall's tau-b with their utilities", words(summary["kendall_tau"])),
        ],
    )
    if summary["without_utility"]:
        say(f"Note: {summary['without_utility']:,} compared items have no utility: no comparisons "
            "connect them with the others.")  # fmt: skip


def _print_table(name: str, shown: Mapping[str, Any]) -> None:
    heading(f"{name}: {shown['title']}")
    rows = [[in_words(cell) if cell is not None else "–" for cell in row] for row in shown["rows"]]
    table(shown["columns"], rows)
    if shown["note"]:
        say(shown["note"])


def _print_massive(name: str, summary: Mapping[str, Any]) -> None:
    found: Mapping[str, Any] = summary["dimensions"]
    heading(f"{name}: {len(found)} massive dimension{'' if len(found) == 1 else 's'}")
    ranked = sorted(found.items(), key=lambda item: -float(item[1]["peak"] or 0))
    for dimension, facts in ranked[:TOP]:
        severe = ", severe" if facts["severe"] else ""
        say(
            f"  dimension {dimension}: up to {facts['peak']:,.0f} times the median coordinate, at "
            f"layer {facts['layer']}{severe}"
        )


def _score(item: tuple[str, Mapping[str, Any]]) -> float:
    value = item[1]["value"]
    return float("-inf") if value is None else float(value)


def words(interval: Mapping[str, Any] | None) -> str:
    """Return ``0.912 [0.880, 0.941]``; a missing number is a dash."""
    if not interval:
        return "–"
    value, low, high = (
        "–" if interval[name] is None else true_minus(f"{interval[name]:.3f}")
        for name in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"
