"""The warnings of a sweep of probes: what a reader must know before believing the numbers."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonde.probes.names import SHUFFLED
from sonde.report.from_results import Results, chance_of, several_results
from sonde.report.sections.notices import Notice, Notices
from sonde.report.wording import absences, counted, figure, interval_text, listed
from sonde.stats.interval import Interval

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.probes.results import ProbeResults


OF_LAYERS = re.compile(r"At \d+ of \d+ layers ")  # what follows is said of the blocks by number


def notices_from(results: Results, more: Sequence[Notice] = ()) -> Notices:
    """Collect warnings: what is missing, controls that do too well, a single answer, the grid.

    What all of some probes lack is said once.
    """
    several = several_results(results)
    found, missing = list(more), _missing(several)
    for given, one in several:
        name = _capital(given)
        found += [Notice(f"{name}: {caution.what}", caution.advice) for caution in one.cautions]
        found += missing.pop(given, [])
        found += [
            Notice(f"{name}: {warning}", level="note")
            for warning in one.warnings
            if not OF_LAYERS.match(warning)
        ]
        found += _failed(one, name)
        found += _controls(one, name)
        found += _by_layer(one, name)
    return Notices(tuple(dict.fromkeys(found)))


def _missing(several: "Sequence[tuple[str, ProbeResults]]") -> dict[str, list[Notice]]:
    """Say what results are printed without, with the first of those that lack the same."""
    advice = "Give the examples themselves as labels, so that their words are known."
    lacking: dict[str, list[str]] = {}
    for name, one in several:
        for said in absences(one.missing):
            lacking.setdefault(said, []).append(name)
    found: dict[str, list[Notice]] = {}
    for said, names in lacking.items():
        who = _capital(listed(list(dict.fromkeys(names))))
        notice = Notice(f"{who}: {said[0].lower()}{said[1:]}.", advice if "texts" in said else "")
        found.setdefault(names[0], []).append(notice)
    return found


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _failed(one: "ProbeResults", name: str) -> list[Notice]:
    reasons: dict[str, list[int]] = {}
    for item in one.failed:
        reasons.setdefault(item.reason, []).append(item.hook.layer)
    return [
        Notice(f"{name}: {_blocks(layers)} could not be probed.", reason, "problem")
        for reason, layers in reasons.items()
    ]


def _controls(one: "ProbeResults", name: str) -> list[Notice]:
    """Report shuffled labels that are told apart from chance, which nothing should let them be.

    One interval in twenty misses by luck, so more than that, and at least two, are needed.
    """
    chance = chance_of(one)
    shuffled = [
        (layer.hook.layer, layer.controls[SHUFFLED].score)
        for layer in one.layers
        if SHUFFLED in layer.controls
    ]
    high = [(layer, score) for layer, score in shuffled if score.low > chance]
    if len(high) >= 2 and len(high) > 0.1 * len(one.layers):
        worst = max((score for _, score in high), key=lambda score: score.value)
        where = _blocks([layer for layer, _ in high])
        return [
            Notice(
                f"{name}: shuffled labels score above chance at {where}, "
                f"up to {interval_text(worst)}.",
                "The folds may share something; check the groups.",
                "problem" if _exceeds(worst, one.selected) else "caution",
            )
        ]
    return []


def _exceeds(control: Interval, score: Interval) -> bool:
    return math.isfinite(score.low) and control.high >= score.low


def _by_layer(one: "ProbeResults", name: str) -> list[Notice]:
    by_text: dict[str, list[int]] = {}
    for layer in one.layers:
        for warning in layer.warnings:
            by_text.setdefault(warning, []).append(layer.hook.layer)
        if not math.isfinite(layer.score.value):
            said = f"the score is not finite ({figure(layer.score.value)})"
            by_text.setdefault(said, []).append(layer.hook.layer)
    return [
        Notice(
            f"{name}, {_blocks(layers)}: {text}.", level="caution" if "penalty," in text else "note"
        )
        for text, layers in by_text.items()
    ]


def _blocks(layers: Sequence[int]) -> str:
    """Write runs of layers shortly: ``blocks 0–3 and 29``."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    texts = [f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(texts) > 6:
        return counted(len(set(layers)), "block")
    return f"{'block' if len(set(layers)) == 1 else 'blocks'} {listed(texts)}"
