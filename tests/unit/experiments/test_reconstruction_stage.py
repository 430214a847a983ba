"""The reconstruction stage: of trained dictionaries, and of one in a file."""

from pathlib import Path

import pytest
import torch

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import Architecture, Dictionary, ReLU
from sonde.dictionaries.artifact import save_dictionary
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.results import verify_result
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.reconstruction import ReconstructionStage
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores

FILE = """
name: rebuilt
question: What does it cost?
model: {name: random:llama, check: false}
stages:
  given:
    kind: reconstruction
    file: dictionary.safetensors
    corpus: &corpus {texts: texts, context: 32, held_out: 0.3}
    tokens: 2000
    loss_tokens: 1000
    fit_rows: 500
  trained:
    kind: dictionary
    corpus: *corpus
    dictionaries:
      sae: {sources: [blocks.1.resid_post], d_sae: 64, sparsity: {kind: topk, k: 8}}
      both: {sources: [blocks.0.resid_post, blocks.1.resid_post], d_sae: 64}
    shuffle: {batch: 64, round_rows: 512}
    samples: null
  all: {kind: reconstruction, dictionary: trained, tokens: 1000, loss_tokens: 500}
  page: {kind: report}
claims:
  recovers: {kind: superiority, of: given.ce_recovered, over: 0.9, by: 0, statement: It does.}
  learns:
    kind: superiority
    of: all.variance_explained sae
    over: all.variance_explained sae.untrained
    by: 0
    statement: Training helped.
"""


def specification(folder: Path, *changes):
    texts = folder / "texts"
    texts.mkdir(exist_ok=True)
    for number in range(60):
        words = [f"word{(number * place) % 17} is here" for place in range(12)]
        (texts / f"{number:02}.txt").write_text(f"Text {number}: {', '.join(words)}.")
    dictionary = Dictionary(
        Architecture(sources=("blocks.1.resid_post",), d_in=(32,), d_sae=64, sparsity=ReLU())
    )
    signs = torch.cat([torch.eye(32), -torch.eye(32)])
    with torch.no_grad():
        dictionary.parts[0].encoder.copy_(signs)
        dictionary.parts[0].decoder.copy_(signs)
    save_dictionary(dictionary, folder / "dictionary.safetensors", Origin())
    (folder / "rebuilt.yaml").write_text(FILE)
    return read_specification(folder / "rebuilt.yaml", list(changes))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("rebuilt")
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(specification(folder), options)
    return folder, report.finished


def test_one_that_gives_back_all_recovers_all(done):
    _, finished = done
    summary = finished["given"].summary
    assert summary["variance_explained"]["value"] == pytest.approx(1)
    assert summary["ce_recovered"]["value"] == pytest.approx(1, abs=1e-4)
    assert summary["kl"]["value"] == pytest.approx(0, abs=1e-5)
    assert summary["l0"]["value"] == pytest.approx(32)
    assert summary["said"] == ""
    assert summary["loss_tokens"] < summary["tokens"] <= 2000
    assert finished["given"].open() == summary
    rows = summary["table"]["rows"]
    assert [row[0] for row in rows] == [
        "dictionary", "dictionary, untrained", "dictionary, linear map",
    ]  # fmt: skip


def test_results_have_controls_baselines_and_units(done):
    folder, finished = done
    detail = Ledger.open(folder / "runs" / "ledger.sqlite").show(1)
    found = {(one.stage, one.name): one for one in detail.results}
    own = found["given", "variance_explained"]
    assert (set(own.controls), set(own.baselines)) == ({"untrained"}, {"linear map"})
    for (stage, _), one in found.items():
        if stage not in ("given", "all"):
            continue
        if one.score is None:
            assert "nothing can be recovered" in one.not_applicable
        else:
            again = read_scores(finished[stage].folder / one.units, one.series, one.metric)
            assert again.value == pytest.approx(one.score.value)
    names = {name for stage, name in found if stage == "all"}
    assert {"variance_explained sae", "ce_recovered both", "l0 sae"} <= names
    assert "variance_explained both blocks.0.resid_post" in names
    assert {one.name for one in detail.verdicts} == {"recovers", "learns"}
    assert {one.name: one.verdict for one in detail.verdicts}["recovers"] == "confirmed"


def test_the_report_has_the_table(done):
    page = done[1]["page"].open().read_text()
    assert "Dictionaries with their model, on text that training did not see" in page


def test_what_it_will_cost_is_foreseen(tmp_path):
    (found,) = plan(specification(tmp_path), tmp_path, named_hardware("h100"))
    estimates = {one.name: one.estimate for one in found.stages}
    assert estimates["given"].basis.startswith("at most 2,000 held-out tokens, 1,000 of them 6")
    assert estimates["all"].basis.endswith("for each of 2 dictionaries")
    assert estimates["all"].tokens == 2 * (1000 + 6 * 500 + 16_384)
    assert min(one.flops for one in estimates.values() if one.tokens) > 0


def test_a_finished_result_verifies(done):
    for name in ("given", "all"):
        assert verify_result(done[1][name].folder) == []


def test_mistakes_are_named(done):
    with pytest.raises(ValueError, match="give `dictionary`, a stage, or `file`"):
        ReconstructionStage()
    with pytest.raises(ValueError, match="`file` needs a `corpus`"):
        ReconstructionStage(file="a.safetensors")
    folder, _ = done  # where the dictionaries are trained already
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    with pytest.raises(SondeError, match="names 'sea', which trained did not train"):
        run(specification(folder, "all.only=[sea]", "claims={}"), options)
