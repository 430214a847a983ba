"""Results written by hand: a stage's folder with per-unit scores, and claims that read it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judging import judge_question
from sonde.experiments.claims.questions import questions_of
from sonde.experiments.folder import ResultFolder
from sonde.experiments.spec import read_specification
from sonde.experiments.stage import Finished
from sonde.experiments.stages.probe import ProbeStage
from sonde.ledger.records import Against, Measured
from sonde.stats.effects import interval_of
from sonde.stats.scores import Scores

STAGE = ProbeStage.model_validate({"kind": "probe", "activations": "acts", "labels": "texts"})

EXPERIMENT = """\
name: made
purpose: confirmatory
model: random:llama
stages:
  texts: {kind: data, path: none.csv}
  acts: {kind: extract, data: texts}
  news: {kind: probe, activations: acts, labels: texts}
  old: {kind: probe, activations: acts, labels: texts}
"""


def means(values, units=None, other=None) -> Scores:
    """A mean: one value a row, each row a unit unless they are named."""
    values = np.asarray(values, np.float64)
    names = np.arange(len(values)) if units is None else units
    second = None if other is None else np.asarray(other).astype(str)
    return Scores("mean", np.asarray(names).astype(str), values, None, second)


def around(centre: float, spread: float, n: int) -> np.ndarray:
    """``n`` values of a normal's quantiles: their mean is ``centre``, their spread ``spread``."""
    from scipy.stats import norm

    values = norm.ppf((np.arange(n) + 0.5) / n)
    values = (values - values.mean()) / values.std(ddof=1)
    return centre + spread * np.random.default_rng(0).permutation(values)


@dataclass
class Made:
    """A stage's results: scores by name, and controls or baselines by the result's name."""

    results: dict[str, Scores] = field(default_factory=dict)
    against: dict[str, dict[str, list[Scores]]] = field(default_factory=dict)
    more: tuple[Measured, ...] = ()

    def finished(self, name: str, folder: Path, key: str = "k") -> Finished:
        folder.mkdir(parents=True)
        series: dict[str, Scores] = {}
        measured = [self._measured(result, series) for result in self.results]
        _write(folder / "units.parquet", series)
        marker = {
            "stage": name, "kind": "probe", "key": key, "version": 1, "made_of": {},
            "summary": {}, "sonde_version": "0",
            "results": [asdict(one) for one in (*measured, *self.more)],
        }  # fmt: skip
        ResultFolder(folder).finish(marker, {})
        return Finished(name, STAGE, folder, key, {})

    def _measured(self, name: str, series: dict[str, Scores]) -> Measured:
        scores = self.results[name]
        series[name] = scores
        against: dict[str, Against] = {}
        for other, several in self.against.get(name, {}).items():
            names = tuple(f"{name}/{other} {number}" for number in range(len(several)))
            series.update(zip(names, several, strict=True))
            against[other] = Against(interval_of(several[0]), names)
        score = interval_of(scores)
        return Measured(
            name, scores.metric, score, baselines=against, units="units.parquet", series=name
        )


def _write(path: Path, series: dict[str, Scores]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"series": [], "unit": [], "other": [], "predicted": [], "truth": []}
    for name, scores in series.items():
        count = len(scores)
        rows["series"] += [name] * count
        rows["unit"] += scores.unit.tolist()
        rows["other"] += [None] * count if scores.other is None else scores.other.tolist()
        rows["predicted"] += scores.predicted.tolist()
        rows["truth"] += [None] * count if scores.truth is None else scores.truth.tolist()
    types = {"series": pa.string(), "unit": pa.string(), "other": pa.string()}
    columns = {
        name: pa.array(values, types.get(name, pa.float64())) for name, values in rows.items()
    }
    pq.write_table(pa.table(columns), path)


def findings(folder: Path, stages: dict[str, Made | str], label: str = "") -> Findings:
    """Return what stages found; a text stands for a skipped stage and says why."""
    found = {
        name: Finished(name, STAGE, Path(), "", {}, made)
        if isinstance(made, str)
        else made.finished(name, folder / f"{name} {label}")
        for name, made in stages.items()
    }
    return Findings({label: found})


def specification(path: Path, claims: str, more: str = ""):
    """Read an experiment file that makes these claims."""
    text = EXPERIMENT + more + (f"claims:\n{claims}" if claims else "")
    file = path / "made.yaml"
    file.write_text(text)
    return read_specification(file)


def judged(folder: Path, stages: dict[str, Made | str], claim: str):
    """Judge one claim, given as a YAML mapping, on its own."""
    spec = specification(folder, f"  it: {claim}\n")
    made = spec.claims["it"]
    (question,) = questions_of(made, {"": {}}).values()
    return judge_question(question, findings(folder, stages), made.level)
