"""What became of the data behind a probe, counted in one unit from the file to the fit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.activations.subset import in_common
from sonde.experiments.stage import Finished
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.token_task import TokenTaskStage
from sonde.report import Accounting, Loss, Step, accounting_from

if TYPE_CHECKING:
    from sonde.activations.activations import Activations, Skipped
    from sonde.probes.results import ProbeResults


def accounting_of(
    probe: Finished, results: "ProbeResults", there: Mapping[str, Finished]
) -> Accounting:
    """Follow the examples, or a token task's rows, from where they were read to the probe."""
    assert isinstance(probe.stage, ProbeStage)
    activations = there[probe.stage.activations]
    if isinstance(activations.stage, TokenTaskStage):
        return _of_tokens(activations, results)
    source = there.get(getattr(activations.stage, "data", probe.stage.labels) or "")
    store = activations.open()
    others = {other: there[other].open() for other in probe.stage.examples_of}
    used = in_common(store, others)
    gone = _gone(used)
    plan = getattr(store, "plan", None)
    section = accounting_from(
        results.join,
        read=source.summary["n"] if source else results.join.activations + len(gone),
        unread=source.summary["skipped"] if source else None,
        skipped=[one for one in used.skipped if gone.get(one.example) is one],
        tokens=plan.tokens if plan else None,
        padding=plan.padding if plan else None,
    )
    return replace(section, facts=(*section.facts, *_in_part(used)))


def _gone(used: "Activations") -> "dict[str, Skipped]":
    """Return the first thing said of each example that is left without a row."""
    present = set(used.rows.example.tolist())
    first: dict[str, Skipped] = {}
    for one in used.skipped:
        if one.example not in present:
            first.setdefault(one.example, one)
    return first


def _in_part(used: "Activations") -> tuple[tuple[str, str], ...]:
    """Count the examples that lost some of their rows, but not all: they are no loss here."""
    lost = {one.example for one in used.skipped} & set(used.rows.example.tolist())
    return (("Examples without some of their rows", f"{len(lost):,}"),) if lost else ()


def _of_tokens(task: Finished, results: "ProbeResults") -> Accounting:
    """Follow the rows of a token task; what it picked them from stands beside."""
    told, join = task.summary, results.join
    dropped = int(told.get("non_finite", 0))
    return Accounting(
        (
            Step("picked", int(told["rows"]) + dropped),
            Step("read", int(told["rows"]), (Loss("non-finite", dropped),)),
            Step(
                "joined with labels",
                join.matched,
                tuple(Loss(reason, len(ids), ids) for reason, ids in join.activations_lost.items()),
            ),
        ),
        tokens=int(told["tokens_run"]),
        facts=(
            ("Picked from", f"{told['asked']:,} tokens"),
            ("Documents", f"{told['documents']:,}"),
            ("Chunks", f"{told['chunks']:,}"),
        ),
        unit="row",
    )
