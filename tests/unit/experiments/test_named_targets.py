"""Several numbers an example: their names reach the results, the summary, ledger and report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.data import open_examples, write_examples
from sonde.experiments.stages.probe_results import UNITS
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores
from sonde.probes import Probe
from sonde.probes.targets import number_targets
from sonde.stats.metrics import METRICS

FILE = """
name: places
question: Does it know where a place lies?
model: {name: random:llama, check: false}
stages:
  places: {kind: data, path: places.csv, columns: {label: [latitude, longitude]}}
  acts: {kind: extract, data: places, layers: [0, 2], template: none, positions: "prompt[-1]"}
  map:
    kind: probe
    activations: acts
    labels: places
    method: {kind: ridge, folds: 3, shuffles: 2, directions: 1, resamples: 20}
  page: {kind: report, probes: [map]}
claims:
  north: {kind: superiority, of: map.selected latitude, over: map.selected latitude/length, by: 0,
          statement: Latitude is found.}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("places")
    rng = np.random.default_rng(0)
    rows = [f"p{at},Place {at} {'north' if at % 2 else 'south'},{at % 2 * 60 + rng.random():.3f},"
            f"{rng.normal():.3f}" for at in range(36)]  # fmt: skip
    (folder / "places.csv").write_text("id,prompt,latitude,longitude\n" + "\n".join(rows) + "\n")
    (folder / "places.yaml").write_text(FILE)
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(read_specification(folder / "places.yaml", []), options)
    return report.finished, folder


def test_summary_probes_and_text_name_the_targets(done):
    finished, _ = done
    found = finished["map"].open()
    assert found.labels == ("latitude", "longitude")
    by_target = finished["map"].summary["by_target"]
    assert list(by_target) == ["latitude", "longitude"]
    assert by_target["latitude"]["value"] > 0.5 > by_target["longitude"]["value"]
    mean = np.mean([one["value"] for one in by_target.values()])
    assert mean == pytest.approx(found.selected.value)
    path = next((finished["map"].folder / "probe" / "probes").glob("*.safetensors"))
    assert Probe.load(path).labels == ("latitude", "longitude")
    assert "latitude" in str(found)
    assert "latitude" in (finished["page"].folder / "report.html").read_text()


def test_the_ledger_has_each_target_with_its_controls_and_baselines(done):
    finished, folder = done
    run_ = Ledger.open(folder / "runs" / "ledger.sqlite").show(1)
    results = {one.name: one for one in run_.results if one.stage == "map"}
    assert list(results)[:3] == ["selected", "selected latitude", "selected longitude"]
    one = results["selected latitude"]
    assert set(one.baselines) == {"bag of tokens", "length"}
    assert set(one.controls) == {"shuffled labels", "random direction"}
    source = finished["map"].folder / UNITS

    def r2(series):
        rows = read_scores(source, series, "r2")
        return METRICS["r2"].value(rows.truth, rows.predicted)

    assert r2(one.series) == pytest.approx(one.score.value)
    for against in (*one.controls.values(), *one.baselines.values()):
        again = np.mean([r2(name) for name in against.series])
        assert again == pytest.approx(against.score.value)
    assert [it.name for it in run_.verdicts] == ["north"]
    assert run_.verdicts[0].effect is not None


def test_names_come_back_from_disk_and_must_agree(done, tmp_path):
    finished, _ = done
    examples, acts = finished["places"].open(), finished["acts"].open()
    assert examples[0].label_names == ("latitude", "longitude")
    write_examples(examples, tmp_path / "e.jsonl")
    assert open_examples(tmp_path / "e.jsonl") == examples
    odd = (*examples[:-1], replace(examples[-1], label_names=("longitude", "latitude")))
    with pytest.raises(SondeError, match=r"different names .*row 2: latitude, longitude; .*row 37"):
        number_targets(acts, odd)
