"""A ledger with the history of a small experiment: what researchers' logs are full of."""

from dataclasses import replace

from tests.ledgers import verdict

from sonde.core.files import fingerprint
from sonde.experiments.claims.specification import content_of
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import (
    Against,
    ClaimStart,
    Measured,
    RunStart,
    StageEnd,
    StageStart,
    Status,
    Verdict,
)
from sonde.stats.interval import Interval

CLAIMS = """\
purpose: confirmatory
claims:
  readable:
    statement: Read better than | from words alone.
    kind: superiority
    mode: confirmatory
    of: truth.selected
    over: truth.selected/bag of tokens
    by: 0.05
"""
SUMMARY = {
    "selected": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 12},
    "join": "2,264 of 3,000 labels joined; 736 have no activations: 36 were skipped (non-finite).",
    "cautions": ["No probe can be shown to beat the baseline 'length'."],
    "warnings": ["the best penalty lies at the edge of the grid."],
    "missing": {},
    "confusion": {
        "labels": ["no", "yes"], "counts": [[97, 0], [3, 0]], "recalls": {"no": 1.0, "yes": 0.0},
    },
}  # fmt: skip
MASSIVE = {
    "n_tokens": 4000, "n_sinks": 60, "n_dimensions": 1,
    "dimensions": {"443": {"peak": 1012.3, "layer": 9, "severe": True}},
}  # fmt: skip
DATA = {"n": 3000, "labelled": 2990, "groups": 1500, "skipped": {"NaN label": 10},
        "labels": {"no": 1500, "yes": 1490}}  # fmt: skip
MODEL = {"weights": {"name": "random", "fingerprint": "abcd"}, "dtype": "float32", "quantise": None,
         "seed": 0, "keep": None}  # fmt: skip


def start_of(spec, **changes) -> RunStart:
    """Return what a run of an experiment file would be recorded with."""
    planned = spec.variants[0]
    resolved = planned.experiment.model_dump(mode="json")
    start = RunStart(
        name=spec.name,
        variant=planned.label,
        question=planned.experiment.question,
        seed=planned.experiment.seed,
        spec_path=str(spec.path),
        spec_text=spec.text,
        overrides=spec.overrides,
        resolved=resolved,
        spec_hash=fingerprint(resolved),
        folder=f"/results/{spec.name}",
        commit_hash="d27d8f3" + "0" * 33,
        dirty=False,
        versions={"python": "3.11", "torch": "2.6"},
        hardware={"gpus": ["NVIDIA H100"] * 2, "cpu": "Xeon", "cores": 16, "memory": 64e9},
        purpose=planned.experiment.purpose,
        facts={"model": "random:llama", "annotator": "A & B"},
    )  # fmt: skip
    return replace(start, **changes)


def measured(value: float, name: str = "selected", control=0.5, **changes) -> Measured:
    """Return a result with a control and a baseline."""
    return Measured(
        name,
        "auroc",
        Interval(value, value - 0.1, value + 0.05, 12),
        method="logistic",
        controls={"shuffled labels": Against(Interval(control, control - 0.1, control + 0.1, 12))},
        baselines={"bag of tokens": Against(Interval(0.55, 0.45, 0.65, 12))},
        **changes,
    )


def record(ledger, start, *, state="done", reason="", results=(), key="k1", summary=SUMMARY) -> int:
    """Record a run with the stages of the small experiment; one that failed did so at the last."""
    run = ledger.begin_run(start)
    base = {"settings": {"hooks": "resid_post", "layers": [0, 1]}, "model": MODEL, "files": {}}
    for name, kind, found in (("sentences", "data", DATA), ("acts", "extract", {"rows": 24})):
        stage = ledger.begin_stage(run, StageStart(name, kind, f"{name}1", f"/r/{name}", base))
        ledger.end_stage(stage, StageEnd("done", seconds=1.5, summary=found))
    planned = {"seconds": 600.0, "memory": 200_000_000}
    stage = ledger.begin_stage(
        run, StageStart("truth", "probe", key, f"/r/truth/{key}", base, planned)
    )
    cost = {"seconds": 53.3, "memory": 3_000_000_000, "device_memory": {}, "joules": None}
    end = StageEnd(
        state, reason, 53.3, {}, summary if state == "done" else {}, tuple(results), cost
    )
    ledger.end_stage(stage, end)
    whole = {**cost, "dollars": 0.05, "joules": 7200.0, "planned": planned}
    ledger.end_run(run, state, reason=reason, seconds=56.3, cost=whole)
    return run


def claim_of(ledger, spec, *, after_results=False):
    """Register the claim of a file that makes one."""
    content = content_of("readable", spec.claims)
    start = ClaimStart(
        spec.name, "readable", content, fingerprint(content), "s", after_results,
        purpose="confirmatory",
    )  # fmt: skip
    (registration,) = ledger.register([start])
    return registration


def verdict_on(registration, word="inconclusive", variant="") -> Verdict:
    return verdict(
        registration.id,
        variant=variant,
        verdict=word,
        statement=registration.content["statement"],
        effect=Interval(0.25, 0.02, 0.4, 12),
        p=0.0004,
        p_adjusted=0.03,
        n=12,
        why="The interval reaches across 0.05.",
        advice="About 40 units in place of 12 would decide.",
    )


def whole_history(spec, where) -> Ledger:
    """Record a claim, a failed run, one that was superseded, and the one that stands."""
    ledger = Ledger.open(where)
    registration = claim_of(ledger, spec)
    failed = record(ledger, start_of(spec), state="failed", reason="CUDA out of memory | `x`\nlong")
    wrong = record(ledger, start_of(spec), results=[measured(0.66)], key="k1")
    ledger.record_verdicts(wrong, [verdict_on(registration, "confirmed")])
    right = record(
        ledger,
        start_of(spec, overrides=("truth.method.folds=4",), dirty=True),
        results=[
            measured(0.8, control=0.51, note="b_dec *fixed*"),
            measured(0.7, "blocks.1.resid_post"),
            Measured("transcoder", "auroc", None, not_applicable="the transcoder has none"),
        ],
        key="k2",
    )
    ledger.record_verdicts(right, [verdict_on(registration)])
    reference = {"value": 0.79, "tolerance": 0.02, "source": "Table 3"}
    ledger.record_statuses(
        right, [Status("truth", "selected", "reproduced", "within it", reference)]
    )
    ledger.supersede(failed, right, "a larger device")
    ledger.supersede(wrong, right, "the adapter had an encode bug")
    return ledger
