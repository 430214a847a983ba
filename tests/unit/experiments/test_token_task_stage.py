"""The token task stage: from a folder of text to a probe, and again from what it stored."""

import numpy as np
import pytest

from sonde.activations import token_tasks
from sonde.activations.token_shown import activations_of
from sonde.core.errors import SondeError
from sonde.experiments.facts import Facts
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.token_texts import read_shown, token_task_view

EXPERIMENT = """\
name: letters
model: {name: "random:llama", check: false}
stages:
  tokens:
    kind: token_task
    texts: texts
    tokens: c
    context: 16
    rows: 60
    layers: [0, 1]
  next:
    kind: probe
    activations: tokens
    method: {kind: mean_difference, metric: balanced_accuracy, folds: 4, resamples: 20}
"""


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "texts").mkdir()
    for number in range(12):
        text = "".join(rng.choice(list("aaabbcd e"), 60 + number))
        (tmp_path / "texts" / f"f{number}.txt").write_text(text)
    path = tmp_path / "letters.yaml"
    path.write_text(EXPERIMENT)
    return path


def ran(experiment, *overrides):
    said: list[str] = []
    options = Options(out=experiment.parent / "runs", say=said.append, progress=False)
    (report,) = run(read_specification(experiment, overrides), options)
    return report.finished, said


def test_a_folder_becomes_a_probe_with_the_baseline_that_fits(experiment):
    finished, said = ran(experiment)
    task, probe = finished["tokens"].summary, finished["next"].summary
    assert (task["rows"], task["rows_positive"], task["files"]) == (60, 30, 12)
    assert task["always_no"]["accuracy_in_the_texts"] == 1 - task["natural_rate"]
    assert set(probe["baselines"]) == {"current token"}
    assert probe["baseline"] == probe["baselines"]["current token"]
    assert probe["confusion"]["labels"] == ["other", "target 'c'"]
    assert sum(map(sum, probe["confusion"]["counts"])) == 60
    assert len(probe["layers"]) == 2
    assert any("always saying no would be right for" in line for line in said)
    assert not list(finished["tokens"].folder.rglob("*.parquet"))
    stored = sum(one.stat().st_size for one in finished["tokens"].folder.iterdir())
    assert stored < 20_000


def test_another_probe_reads_the_model_again_and_finds_the_same(experiment, monkeypatch):
    first, _ = ran(experiment)
    again, said = ran(experiment, "next.method.resamples=21")
    assert "tokens: done already" in said
    here, there = (one["next"].summary["layers"] for one in (first, again))
    assert [one["value"] for one in here.values()] == [one["value"] for one in there.values()]
    opened = again["tokens"].open()
    assert opened.facts.rows == len(opened) == 60


def test_the_rows_are_in_memory_only_while_later_stages_need_them(experiment):
    finished, _ = ran(experiment)
    assert finished["tokens"].held is None


def test_the_report_colours_documents_that_gave_no_row(experiment):
    finished, _ = ran(experiment, "stages.page={kind: report, tokens: tokens}")
    (chunk,) = read_shown(finished["tokens"].folder)  # a tenth of twelve files
    rows = finished["tokens"].open()
    assert chunk.name.removesuffix("#0") not in rows.picked.documents
    words = [chunk.text[start:end] for start, end in chunk.offsets.tolist()]
    assert "".join(words) == chunk.text
    # The first token is not asked; of the last one the next is known, as the document goes on.
    assert chunk.truth[0] is None
    assert list(chunk.truth[1:-1]) == [word == "c" for word in words[2:]]
    view = token_task_view(finished["tokens"], finished["next"].open())
    assert view.truth_says == "the next token is 'c'"
    assert view.layers == (0, 1)
    acts = activations_of((chunk,), rows, rows.source)
    raw = finished["next"].open().layers[1].probe.apply(acts).numpy()
    (text,) = view.texts
    assert np.argsort(text.scores[1]).tolist() == np.argsort(raw).tolist()
    assert "the next token is" in finished["page"].open().read_text()


def test_a_report_of_too_few_documents_says_so_in_their_place(experiment):
    for number in range(9, 12):
        (experiment.parent / "texts" / f"f{number}.txt").unlink()
    finished, _ = ran(experiment, "stages.page={kind: report, tokens: tokens}")
    page = finished["page"].open().read_text()
    assert "kept no document apart" in page
    assert finished["page"].summary["sections"].count("notices") == 1


def test_a_report_that_would_have_no_text_is_refused_at_once(experiment):
    page = "stages.page={kind: report, tokens: tokens}"
    with pytest.raises(SondeError, match="`shown: 0`"):
        read_specification(experiment, (page, "tokens.shown=0"))
    stages = (
        "stages.rows={kind: data, path: x.csv}",
        "stages.acts={kind: extract, data: rows, positions: [prompt.mean]}",
    )
    with pytest.raises(SondeError, match="'acts' does not keep each token"):
        read_specification(experiment, (*stages, page, "page.tokens=acts"))


def test_plan_counts_the_pass_and_names_what_cannot_be_asked(experiment):
    def planned(*overrides):
        (variant,) = read_specification(experiment, overrides).variants
        return variant.experiment.stages, Facts(variant, "float32")

    stages, facts = planned()
    estimate = stages["tokens"].estimate(facts)
    assert "60 rows at 2 hook points, held in memory" in estimate.basis
    assert estimate.flops > 0
    assert stages["next"].estimate(facts).seconds > 0
    stages, facts = planned("tokens.tokens=cd")
    with pytest.raises(SondeError, match="'cd' is 2 tokens"):
        stages["tokens"].estimate(facts)
    stages, facts = planned("tokens.texts=nowhere")
    assert "nowhere does not exist" in stages["tokens"].problems(experiment.parent)[0]


def test_labels_are_left_out_for_a_token_task_alone(experiment):
    extra = "stages.acts={kind: extract, data: rows}", "stages.rows={kind: data, path: x.csv}"
    with pytest.raises(SondeError, match=r"gives activations, not .* `labels: <stage>`"):
        read_specification(experiment, (*extra, "next.activations=acts"))
    with pytest.raises(SondeError, match=r"with labels, not activations\. Leave `labels` out"):
        read_specification(experiment, (*extra, "next.labels=rows"))


def test_token_tasks_are_sources_of_transfers_comparisons_and_held_out_documents(experiment):
    """Another token and another model, on the same documents: no fit reads what it saw."""
    method = "{kind: mean_difference, metric: balanced_accuracy, folds: 4, resamples: 20}"
    task = "{kind: token_task, texts: texts, context: 16, rows: 60, layers: [0, 1]"
    finished, _ = ran(
        experiment,
        f"stages.second={task}, tokens: a}}",
        f"stages.gemma={task}, tokens: c, model: {{name: 'random:gemma2', check: false}}}}",
        f"stages.there={{kind: probe, activations: gemma, method: {method}}}",
        "stages.beside={kind: compare, first: next, second: there}",
        "stages.moved={kind: transfer, sources: {c: {activations: tokens}, "
        f"a: {{activations: second}}, g: {{activations: gemma}}}}, method: {method}}}",
        f"stages.apart={{kind: held_out, activations: tokens, groups: [f1.txt, f2.txt], "
        f"method: {method}}}",
    )
    cells = {(it["train"], it["test"]): it for it in finished["moved"].summary["cells"]}
    assert len(cells) == 9
    scored = {pair: it for pair, it in cells.items() if it["score"] is not None}
    assert {("c", "a"), ("a", "c"), ("c", "c"), ("a", "a"), ("g", "g")} <= set(scored)
    for it in scored.values():
        assert 0 <= it["score"]["value"] <= 1
        assert it["shared"] > 0 and ("out of fold" in it["note"])
    beside = finished["beside"].summary
    assert (beside["design"], len(beside["layers"])) == ("paired", 2)
    assert list(finished["apart"].summary["groups"]) == ["f1.txt", "f2.txt"]


def test_a_later_run_reads_the_rows_once_for_all_and_plan_counts_it(experiment, monkeypatch):
    """Only which tokens they are is kept; two probes of one run share one pass."""
    ran(experiment)
    runs: list[int] = []
    read = token_tasks._run

    def counted(*given):
        runs.append(1)
        return read(*given)

    monkeypatch.setattr(token_tasks, "_run", counted)
    more = (
        "next.method.folds=5",
        "stages.also={kind: probe, activations: tokens, method: {kind: mean_difference, folds: 3}}",
    )
    hardware = named_hardware("h100")
    (variant,) = plan(read_specification(experiment, more), experiment.parent / "runs", hardware)
    planned = {one.name: one for one in variant.stages}
    (whole,) = read_specification(experiment, more).variants
    once = whole.experiment.stages["tokens"].estimate(Facts(whole, "float32"))
    assert planned["tokens"].does == "done"
    assert planned["next"].estimate.tokens == once.tokens > 0
    assert planned["next"].estimate.flops == once.flops
    assert "reads tokens again" in planned["next"].estimate.basis
    assert planned["also"].estimate.tokens == 0
    ran(experiment, *more)
    assert len(runs) == 1
