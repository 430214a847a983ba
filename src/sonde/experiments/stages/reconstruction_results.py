"""What an evaluation of dictionaries found: results for the ledger, a table, numbers for gates."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.experiments.stage import Outcome
from sonde.experiments.stages.probe_results import numbers
from sonde.ledger.records import Against, Measured
from sonde.ledger.units import write_scores

if TYPE_CHECKING:
    from sonde.evals.reconstruction import Evaluated
    from sonde.stats.scores import Scores

UNITS = "units.parquet"
UNTRAINED, LINEAR = "untrained", "linear map"
DICTIONARY = "dictionary"
NAMES = {DICTIONARY: "", UNTRAINED: UNTRAINED, "linear": LINEAR}
NOTES = {
    "variance_explained": "1 - FVU over held-out rows",
    "ce_recovered": "cross-entropy recovered against zeros in the targets' place",
    "ce_recovered_mean": "cross-entropy recovered against the targets' mean in their place",
    "kl": "KL(clean || reconstructed), nats a token",
    "l0": "active latents a row",
}
NO_HARM = "the ablation does not raise the cross-entropy, so nothing can be recovered"


def told(
    found: "Mapping[str, Evaluated]", said: Mapping[str, str], folder: Path, *, alone: bool
) -> Outcome:
    """Return results and summary, and write the scores of each document."""
    from sonde.stats.effects import interval_of

    units: dict[str, Scores] = {}
    results: list[Measured] = []
    summary: dict[str, dict[str, Any]] = {}
    for name, evaluated in found.items():
        series = _series(evaluated)
        summary[name] = {"said": said[name], **_facts(evaluated)}
        for metric, arms in series.items():
            called = metric if alone else _called(metric, name)
            own = arms[""]
            units |= {f"{called} {arm}".rstrip(): scores for arm, scores in arms.items()}
            results.append(_measured(called, metric, arms))
            summary[name][metric] = numbers(interval_of(own)) if _is_number(own) else None
            summary[name].setdefault("arms", {})[metric] = {
                arm or DICTIONARY: str(interval_of(one)) if _is_number(one) else "n/a"
                for arm, one in arms.items()
            }
    write_scores(units, folder / UNITS)
    only = next(iter(summary.values())) if alone else {}
    whole = {**only, "dictionaries": summary, "table": _table(summary)}
    return Outcome(whole, tuple(results))


def _called(metric: str, name: str) -> str:
    kind, *target = metric.split(" ", 1)
    return " ".join([kind, name, *target])


def _is_number(scores: "Scores") -> bool:
    return math.isfinite(scores.value)


def _series(found: "Evaluated") -> "dict[str, dict[str, Scores]]":
    """Return every metric's scores: the dictionary's own under no name, then the others'."""
    series: dict[str, dict[str, Scores]] = {}
    targets = tuple(found.quality[DICTIONARY].by_target)
    for arm, label in NAMES.items():
        if arm not in found.quality:
            continue
        quality = found.quality[arm]
        for target in targets:
            name = "variance_explained" + (f" {target}" if len(targets) > 1 else "")
            series.setdefault(name, {})[label] = quality.by_target[target]["variance_explained"]
        if found.losses is not None:
            losses = found.losses
            series.setdefault("ce_recovered", {})[label] = losses.recovered(arm, "zero")
            series.setdefault("ce_recovered_mean", {})[label] = losses.recovered(arm, "mean")
            series.setdefault("kl", {})[label] = losses.kl(arm)
        if arm == DICTIONARY:
            series["l0"] = {"": quality.of_latents["l0"]}
    return series


def _measured(called: str, metric: str, arms: "Mapping[str, Scores]") -> Measured:
    from sonde.stats.effects import interval_of

    own, kind = arms[""], metric.partition(" ")[0]
    against = {
        label: Against(interval_of(one), (f"{called} {label}",))
        for label, one in arms.items()
        if label and _is_number(one)
    }
    known = _is_number(own)
    return Measured(
        name=called,
        metric=own.metric,
        score=interval_of(own) if known else None,
        method=kind,
        controls={name: one for name, one in against.items() if name == UNTRAINED},
        baselines={name: one for name, one in against.items() if name != UNTRAINED},
        units=UNITS if known else "",
        series=called if known else "",
        note=NOTES[kind],
        not_applicable="" if known else NO_HARM,
    )


def _facts(found: "Evaluated") -> dict[str, Any]:
    quality, losses = found.quality[DICTIONARY], found.losses
    others = {name: quality.value(name) for name in quality.names if name != "l0"}
    facts: dict[str, Any] = {
        "tokens": found.n_tokens,
        "rows": found.n_rows,
        "sinks": found.n_sinks,
        "non_finite": found.n_nonfinite,
        "documents": len(quality.of_latents["l0"]),
        "latents": len(quality.fired),
        "dead": len(quality.dead) / max(1, len(quality.fired)),
        "dense": len(quality.dense) / max(1, len(quality.fired)),
        "others": {name: value for name, value in others.items() if math.isfinite(value)},
    }
    if losses is not None:
        facts["loss_tokens"] = int(losses.n_tokens.sum())
        facts["cross_entropy"] = {arm: losses.loss(arm).value for arm in losses.cross_entropy}
    return facts


def _table(summary: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    one = next(iter(summary.values()))
    rows = [row for name, told in summary.items() for row in _rows(name, told)]
    columns = ["", "variance explained", "L0", "CE recovered", "against the mean", "KL"]
    broken = f", {one['non_finite']:,} rows with NaN or Inf" if one["non_finite"] else ""
    return {
        "title": "Dictionaries with their model, on text that training did not see",
        "columns": columns,
        "rows": rows,
        "note": f"{one['rows']:,} rows of {one['documents']:,} documents; first tokens, separators"
        f"{broken} and {one['sinks']:,} attention sinks keep their activations. CE recovered: 1 is "
        "the unedited model, 0 zeros in the place of the targets (or their mean). KL in nats a "
        "token. Untrained: the same architecture as training begins it. Linear map: the best of as "
        "many components as the dictionary has active latents (PCA for an SAE), fitted on training "
        "rows. Intervals are over documents.",
    }


def _rows(name: str, told: Mapping[str, Any]) -> Iterator[list[str]]:
    arms: Mapping[str, Mapping[str, str]] = told["arms"]
    explained = [metric for metric in arms if metric.startswith("variance_explained")]
    for arm in dict.fromkeys(arm for of in arms.values() for arm in of):
        first = name if arm == DICTIONARY else f"{name}, {arm}"
        for metric in explained:
            target = metric.removeprefix("variance_explained").strip()
            whole = metric == explained[0]
            rest = [
                arms.get(other, {}).get(arm, "") if whole else ""
                for other in ("l0", "ce_recovered", "ce_recovered_mean", "kl")
            ]
            yield [f"{first} {target}".rstrip(), arms[metric][arm], *rest]
