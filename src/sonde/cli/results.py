"""The table of results that a run ends with."""

from collections.abc import Mapping, Sequence
from typing import Any

from sonde.cli.console import heading, say, table
from sonde.experiments.runner import StageReport, VariantReport

TOP = 5


def print_results(reports: Sequence[VariantReport]) -> None:
    """Print what each stage found; probes as a table of their best layers."""
    for report in reports:
        if report.label:
            heading(report.label)
        for stage in report.stages:
            if stage.finished.skipped:
                say(f"{stage.name}: skipped {stage.finished.skipped}")
            elif "layers" in stage.finished.summary:
                _print_probe(stage)


def _print_probe(stage: StageReport) -> None:
    summary = stage.finished.summary
    heading(f"{stage.name}: {summary['kind']}, {summary['metric']}, n = {summary['n']}")
    layers: Mapping[str, Any] = summary["layers"]
    ranked = sorted(layers.items(), key=lambda item: -(item[1]["value"] or float("-inf")))
    table(
        ("hook point", "score [95 % interval]", "shuffled labels"),
        [(hook, words(layer), words(layer.get("control"))) for hook, layer in ranked[:TOP]],
    )
    if summary.get("selected"):
        say(f"layer chosen inside the folds: {words(summary['selected'])}")
    if summary.get("baseline"):
        say(f"bag of tokens, no model: {words(summary['baseline'])}")
    for warning in summary.get("warnings", ()):
        say(f"Warning: {warning}")


def words(interval: Mapping[str, Any] | None) -> str:
    """Return ``0.912 [0.880, 0.941]``; a missing number is a dash."""
    if not interval:
        return "–"
    value, low, high = (
        "–" if interval[name] is None else f"{interval[name]:.3f}"
        for name in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"
