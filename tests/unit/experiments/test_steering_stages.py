"""Responses, vectors, steering, monitoring and their report, in one small experiment."""

import json
import re
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonde.cli.results import print_results
from sonde.core.errors import SondeError
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.results import verify
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.steer_results import PROMPT, RANDOM, UNSTEERED, _points
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores, series_in
from sonde.models.grid import generate_grid
from sonde.stats.interval import Interval

WINDOWS = ("response[:3].mean", "response[:6].mean")
EXPERIMENT = """\
name: lively
question: Does a vector make the answers lively?
model: {name: random:llama, check: false}
stages:
  answers:
    {kind: responses, trait: lively, longest_window: 6, least_distinct: 0}
  acts:
    {kind: extract, data: answers, layers: [0, 1], template: none,
     positions: ['response[:3].mean', 'response[:6]']}
  massive:
    {kind: massive_dimensions, data: answers, layers: [0, 1], template: none}
  vectors:
    {kind: vectors, activations: acts, labels: answers, massive: massive, trait: lively,
     methods: [mean_difference, probe, random], folds: 3}
  steer:
    kind: steer
    vectors: vectors
    trait: lively
    compare: [mean_difference, probe]
    positions: ['response[:3].mean']
    questions: 4
    search:
      {max_new_tokens: 4, points: 1, refinements: 0, room: 0, folds: 3, template: none,
       limit: {kind: perplexity, times: 20},
       screen: {questions: 1, tokens: 2, halvings: 1, lowest: 0.25, highest: 8}}
  monitor: {kind: monitor, steering: steer, vectors: vectors, along: [mean_difference]}
  page: {kind: report}
claims:
  lively:
    statement: The mean difference makes answers livelier.
    kind: superiority
    of: steer.mean_difference
    over: steer.mean_difference/unsteered
    by: 0.05
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Return an experiment file with its trait, whose responses are given."""
    base = tmp_path_factory.mktemp("lively")
    trait = base / "lively"
    trait.mkdir()
    things = ("bread", "rain", "a chair", "the sea", "a map", "old boots", "a clock", "tea")
    for side, words in (("positive", "Oh how I love {}! It is great!"), ("negative", "It is {}.")):
        rows = [{"prompt": f"About {it}?", "response": words.format(it)} for it in things]
        (trait / f"{side}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (trait / "definition.txt").write_text("The answer is lively.")
    questions = [
        "What is rope?",
        "What is dew?",
        "What is a jug?",
        "What is ink?",
        "What is a fig?",
    ]
    (trait / "steering.json").write_text(json.dumps(questions))
    patterns = [{"pattern": "[ -~]", "weight": 3, "at_most": 9}, {"pattern": "great", "weight": 50}]
    rule = {"base": 10, "patterns": patterns, "threshold": 50}
    (trait / "rule.json").write_text(json.dumps(rule))
    path = base / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


@dataclass
class Ran:
    reports: Any
    out: Path
    n_rows: int = 0

    @property
    def finished(self):
        return self.reports[0].finished


def go(file, out, *overrides):
    spec = read_specification(file, overrides)
    return Ran(run(spec, Options(out=out, say=lambda _: None, progress=False)), out)


class Stopped(BaseException):
    """As if the machine had stopped."""


class Grids:
    """Generates grids and counts their rows; stops in place of the grid of a number."""

    def __init__(self, stop_at=None):
        self.rows, self.stop_at = [], stop_at

    def __call__(self, model, prompts, rows, settings=None, **keywords):
        if len(self.rows) == self.stop_at:
            raise Stopped
        self.rows.append(len(rows))
        return generate_grid(model, prompts, rows, settings, **keywords)


@pytest.fixture(scope="module")
def ran(file, tmp_path_factory):
    grids = Grids()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sonde.steering.answering.generate_grid", grids)
        found = go(file, tmp_path_factory.mktemp("runs"))
    return replace(found, n_rows=sum(grids.rows))


def test_every_stage_says_what_it_found(ran, capsys):
    done = {name: one.summary for name, one in ran.finished.items()}
    assert done["answers"]["labels"] == {"positive": 8, "negative": 8}
    assert done["answers"]["vetted_by"] == "rule" and done["answers"]["groups"] == 8
    assert done["vectors"]["vectors"] == 3 * 2 * 2
    assert tuple(done["vectors"]["positions"]) == WINDOWS
    assert done["vectors"]["advice"]
    assert set(done["steer"]["best"]) == {
        "unsteered", "prompt", "mean_difference", "probe", "random",
    }  # fmt: skip
    assert done["steer"]["questions"] == 4
    print_results(ran.reports)
    shown = capsys.readouterr().out
    for words in (
        "Steering lively",
        "plain prompt",
        "Projections of generated tokens",
    ):
        assert words in shown


def test_the_ledger_holds_results_with_controls_and_baselines(ran):
    detail = Ledger.open(ran.out / "ledger.sqlite").show(1)
    of = {(one.stage, one.name): one for one in detail.results}
    steered = of["steer", "mean_difference"]
    assert set(steered.baselines) == {UNSTEERED, PROMPT}
    assert set(steered.controls) == {RANDOM}
    assert set(of["vectors", f"blocks.1.resid_post {WINDOWS[0]} probe"].controls) == {
        "random direction"
    }
    name = f"cosine mean_difference {WINDOWS[1]}"
    cosine = of["vectors", name]
    by_layer = read_scores(ran.finished["vectors"].folder / "cosines.parquet", name, "mean")
    vectors = ran.finished["vectors"].open()
    pairs = [
        [
            vectors.select(kind, layer, WINDOWS[1])[0].direction
            for kind in ("mean_difference", "probe")
        ]
        for layer in vectors.layers
    ]
    assert by_layer.predicted.tolist() == pytest.approx([float(a @ b) for a, b in pairs], abs=1e-5)
    assert cosine.score.value == pytest.approx(np.mean(by_layer.predicted))
    units = ran.finished["steer"].folder / "units.parquet"
    assert set(series_in(units)) == {"unsteered", PROMPT, "mean_difference", "probe", "random"}
    own = read_scores(units, "mean_difference", steered.metric)
    assert np.mean(own.predicted) == pytest.approx(steered.score.value)
    assert len(own.predicted) == 4
    (claim,) = ran.reports[0].claims
    assert claim.registration.name == "lively"


def test_the_page_draws_curves_cosines_and_coloured_answers(ran):
    done = ran.finished["page"]
    kinds = done.summary["sections"]
    for kind in ("claims", "steering_curves", "samples", "cosine_matrix", "token_view"):
        assert kind in kinds
    page = done.open().read_text()
    assert "Trait and coherence by coefficient" in page and "What is rope?" in page


def test_a_page_without_probes_says_how_it_was_made_and_what_to_mind(ran):
    done = ran.finished["page"]
    page = done.open().read_text()
    assert {"notices", "provenance"} < set(done.summary["sections"])
    for warning in ran.finished["steer"].summary["warnings"]:
        assert escape(f"Steer: {warning}") in page
    made = page[page.index("How this was made") :]
    model = ran.finished["steer"].open().model
    named = (model["fingerprint"], "Seed", "torch", "sonde run experiment.yaml", "cores")
    for words in (*named, ran.finished["steer"].key):
        assert words in made
    vetted = re.sub(r"\s*<[^>]+>\s*", " ", page[page.index("Responses: lively") :])
    assert re.search(r"Side +Responses +Kept .*positive +8 +8 .*negative +8 +8", vetted)


def test_what_a_run_wrote_is_what_is_read(ran):
    assert verify(ran.out) == []
    found = ran.finished["steer"].open()
    read = ran.finished["monitor"].open()
    assert found.n_questions == 4 and "unsteered" in read
    (vector,) = read["unsteered"].vectors
    assert vector.name.startswith("mean_difference@")
    one = found.vector(vector.name)
    assert one.typical_norm == ran.finished["massive"].open().typical_norm(one.layer)


def test_a_search_that_was_stopped_goes_on(ran, file, tmp_path, monkeypatch):
    stopping, going_on = Grids(stop_at=4), Grids()
    monkeypatch.setattr("sonde.steering.answering.generate_grid", stopping)
    with pytest.raises(Stopped):
        go(file, tmp_path)
    monkeypatch.setattr("sonde.steering.answering.generate_grid", going_on)
    again = go(file, tmp_path)
    assert 0 < sum(stopping.rows) == ran.n_rows - sum(going_on.rows)
    states = {stage.name: stage.state for stage in again.reports[0].stages}
    assert states["vectors"] == "reused" and states["steer"] == "done"
    found, whole = (one.finished["steer"] for one in (again, ran))
    assert found.open().arms == whole.open().arms
    assert found.open().answers.text == whole.open().answers.text
    assert found.summary["best"] == whole.summary["best"]


def test_another_calibration_is_the_unit_of_search_and_monitor(ran, file):
    other = "stages.other={kind: massive_dimensions, data: answers, layers: [0, 1], template: chat}"
    done = go(file, ran.out, other, "steer.calibration=other").finished
    found, calibration = done["steer"].open(), done["other"].open()
    read = done["monitor"].open()
    (name,) = {vector.name for vector in read["unsteered"].vectors}
    vector = found.vector(name)
    assert vector.typical_norm == calibration.typical_norm(vector.layer)
    assert vector.typical_norm != done["massive"].open().typical_norm(vector.layer)
    assert read["unsteered"].vectors[0].typical_norm == vector.typical_norm


def test_a_monitor_reads_with_the_model_of_the_search(ran, file):
    other = "{name: random:llama, seed: 1, check: false}"
    changes = (f"steer.model={other}", "steer.search.allow_other_model=true")
    done = go(file, ran.out, *changes).finished
    assert set(done["monitor"].open()[UNSTEERED].texts) <= set(done["steer"].open().task.questions)
    made_of = {name: json.loads((done[name].folder / "done.json").read_text()) for name in done}
    models = {name: made_of[name]["made_of"]["model"] for name in ("monitor", "steer", "acts")}
    assert models["monitor"] == models["steer"] != models["acts"]
    again = go(file, ran.out, *changes, f"monitor.model={other}")
    states = {stage.name: stage.state for stage in again.reports[0].stages}
    assert states["monitor"] == "reused"


def test_a_monitor_projects_on_vectors_that_were_not_searched(ran, file):
    along = ("monitor.along=[random, probe]", "monitor.positions=['response[:6]']")
    read = go(file, ran.out, *along, "monitor.layers=[0]").finished["monitor"].open()
    assert {UNSTEERED, PROMPT} < set(read)
    names = [one.name for one in read[UNSTEERED].vectors]
    assert names == [f"{kind}@{WINDOWS[1]}@blocks.0.resid_post" for kind in ("random", "probe")]
    norm = ran.finished["massive"].open().typical_norm(0)
    assert [one.typical_norm for one in read[PROMPT].vectors] == [norm, norm]


def test_a_monitor_projects_on_the_vectors_of_another_stage(ran, file):
    stage = (
        "stages.others={kind: vectors, activations: acts, labels: answers, massive: massive, "
        "methods: [lda], folds: 3}"
    )
    named = ("monitor.along_vectors=others", "monitor.along=[lda]")
    done = go(file, ran.out, stage, *named).finished["monitor"]
    names = {one.name.split("@")[0] for one in done.open()[UNSTEERED].vectors}
    assert names == {"lda"} and "stage others" in done.summary["table"]["note"]
    with pytest.raises(SondeError, match="names 'mean_difference', which others does not make"):
        read_specification(file, [stage, named[0], "monitor.along=[]"])


def test_a_second_model_reads_the_unsteered_texts(ran, file):
    second = "monitor.other_model={name: random:llama, seed: 1, check: false}"
    done = go(file, ran.out, second).finished["monitor"]
    read = done.open()
    own, other = read[UNSTEERED], read[f"{UNSTEERED}, read by random:llama"]
    assert np.array_equal(own.token_id, other.token_id)
    assert not np.allclose(own.values, other.values)
    rows = {row[0]: row[3] for row in done.summary["table"]["rows"]}
    (change,) = other.minus(own)
    unit = own.vectors[0].typical_norm
    said = rows[f"{UNSTEERED}, read by random:llama"]
    assert said.startswith(f"{change.interval.value / unit:+.3f} [")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steer.compare=[lda]", r"`compare` names 'lda', which vectors does not make.*add lda"),
        ("steer.compare=[probe/top-1]", r"'probe/top-1', .* Name some of .*add top-1"),
        ("steer.compare=[random/all]", "'random/all', which vectors does not make"),
        ("steer.compare=[probes]", "'probes' is no method; there are mean_difference, probe"),
        (
            "steer.positions=['response[:4].mean']",
            r"'response\[:4\].mean', which acts does not read.*It reads response\[:3\].mean",
        ),
        ("vectors.massive=null", "'vectors', which knows no typical norms.*`massive`"),
        ("monitor.along=[lda]", "`along` names 'lda', which vectors does not make.*random"),
        (
            "monitor.positions=['response[:4]']",
            r"`positions` names 'response\[:4\].*acts does not",
        ),
        (
            "monitor.model=random:gemma2",
            "that wrote them, the experiment's, and names random:gemma2",
        ),
        ("steer.search.limit={kind: judged}", "is judged, and nobody judges coherence"),
    ],
)
def test_what_the_vectors_will_not_have_is_named_at_once(file, override, words):
    with pytest.raises(SondeError, match="(?s)" + words):
        read_specification(file, [override])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steer.layers=[1, 2]", "stages.steer names block 2, which acts does not read. It reads"),
        ("steer.trait=livelly", "is not a folder, and no trait of that name comes with sonde."),
        ("steer.questions=6", "has 5 questions, and 6 are asked for. Lower `questions`"),
        ("answers.trait=nowhere", "nowhere is not a folder, and no trait"),
        ("steer.judge={kind: rules, rule: none.json}", "none.json"),
    ],
)
def test_a_plan_names_what_stands_in_the_way(file, tmp_path, override, words):
    (planned,) = plan(read_specification(file, [override]), tmp_path, named_hardware(None))
    assert any(words in problem for problem in planned.problems)


def test_a_run_refuses_a_block_that_is_not_read(file, tmp_path):
    with pytest.raises(SondeError, match="names block 2, which acts does not read"):
        go(file, tmp_path, "steer.layers=[2]")


def test_points_of_a_few_equal_scores_have_no_interval():
    nan = float("nan")
    assert _points(Interval(0.35, nan, nan, 4)) == "35.0 (no interval)"
    assert _points(Interval(0.125, 0.08, 0.171, 24), "+") == "+12.5 [+8.0, +17.1]"
