"""The stage that takes a concept out and looks for it again."""

from pathlib import Path

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger

FILE = """
name: gone
question: Is it gone?
model: {name: random:llama, check: false}
stages:
  sentences: {kind: data, path: contrast_sentences, limit: 60}
  acts: {kind: extract, data: sentences, layers: [0, 1]}
  out:
    kind: erase
    activations: acts
    labels: sentences
    method: {kind: logistic, shuffles: 1, resamples: 20, penalties: [1, 100], baseline: false}
  page: {kind: report}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("gone")
    (folder / "gone.yaml").write_text(FILE)
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(read_specification(folder / "gone.yaml", []), options)
    return folder, report.finished


def test_each_hook_point_has_an_eraser_and_a_finding(done):
    _, finished = done
    out = finished["out"]
    assert list(out.summary["layers"]) == ["blocks.0.resid_post", "blocks.1.resid_post"]
    erasers = out.open()
    assert [str(one.hook) for one in erasers] == list(out.summary["layers"])
    activations = finished["acts"].open()
    for eraser, layer in zip(erasers, out.summary["layers"].values(), strict=True):
        erased = eraser.erase(activations.tensor(eraser.hook))
        assert erased.shape == activations.tensor(eraser.hook).shape
        assert (layer["rank"], layer["chance"]) == (eraser.rank, 0.5)
        assert layer["removed"] == pytest.approx(eraser.removed)
        assert layer["low"] <= layer["value"] <= layer["high"]
        assert layer["gone"] == (layer["low"] <= 0.5 and layer["same_rows"]["low"] <= 0.5)


def test_scores_can_be_made_again_from_the_ledger(done):
    folder, finished = done
    ledger = Ledger.open(folder / "runs" / "ledger.sqlite")
    (newest,) = ledger.list()
    kept = [it for it in ledger.show(newest.id).results if it.stage == "out"]
    assert [it.name for it in kept] == list(finished["out"].summary["layers"])
    (scores, *_) = ledger.scores(kept[1].id)
    assert scores.value == pytest.approx(
        finished["out"].summary["layers"]["blocks.1.resid_post"]["value"]
    )


def test_the_page_shows_the_table(done):
    _, finished = done
    page = finished["page"].open().read_text()
    assert "before and after leace erasure" in page


def test_too_few_folds_are_refused(tmp_path):
    (tmp_path / "gone.yaml").write_text(FILE)
    with pytest.raises(SondeError, match="at least 5 folds"):
        run(
            read_specification(tmp_path / "gone.yaml", ["out.method.folds=3"]),
            Options(out=tmp_path / "runs", say=lambda _: None, progress=False),
        )
