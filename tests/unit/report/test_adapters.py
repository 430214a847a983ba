"""Sections from real probes on made-up activations: no number changes on the way."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from sonde import probes
from sonde.activations.activations import ActivationsInMemory, Origin, RowTable, Skipped
from sonde.activations.massive import MassiveSettings
from sonde.activations.massive_report import (
    LayerNorms,
    MassiveDimension,
    MassiveDimensions,
    Sinks,
    TokenMagnitude,
)
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import TokenSpans
from sonde.data.examples import Example
from sonde.models.render import Rendered
from sonde.report import (
    Report,
    TokenText,
    accounting_from,
    answer_from,
    classes_from,
    curves_by_metric,
    curves_from,
    massive_from,
    notices_from,
    penalties_from,
    render,
    token_view_from,
)
from sonde.report.from_tokens import centred

ORIGIN = Origin(model="tiny", revision="r1", model_fingerprint="f00d" * 4)
LAYERS, WIDTH, EXAMPLES, TOKENS = (0, 4), 6, 40, 5


def rows_of(examples, tokens) -> RowTable:
    n = len(examples)
    whole = np.zeros(n, np.int32)
    return RowTable(
        example=np.asarray(examples, str),
        position=np.asarray(["prompt[-1]"] * n),
        token=np.asarray(tokens, np.int32),
        token_id=whole,
        n_tokens=whole + 1,
        start=whole,
        end=whole,
        group=np.asarray([f"pair {int(name[1:]) // 2}" for name in examples]),
    )


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [
        Example(
            id=f"s{number}",
            prompt=f"word {number % 7} of {number}",
            label="yes" if number % 2 else "no",
        )
        for number in range(EXAMPLES)
    ]


@pytest.fixture(scope="module")
def every_token() -> ActivationsInMemory:
    """Each token of each example; the last one of layer 4 holds the label."""
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(EXAMPLES) for _ in range(TOKENS)]
    tokens = list(range(TOKENS)) * EXAMPLES
    tensors = {}
    for layer in LAYERS:
        values = rng.normal(size=(len(names), WIDTH))
        if layer == 4:
            values[:, 0] += [3.0 * (int(name[1:]) % 2) for name in names]
        tensors[HookPoint(layer, Site.RESID_POST)] = torch.tensor(values, dtype=torch.float32)
    return ActivationsInMemory(tensors, rows_of(names, tokens), ORIGIN)


@pytest.fixture(scope="module")
def last_token(every_token) -> ActivationsInMemory:
    here = np.flatnonzero(every_token.rows.token == TOKENS - 1)
    return ActivationsInMemory(
        {hook: every_token.tensor(hook)[here] for hook in every_token.hooks},
        rows_of(every_token.rows.example[here].tolist(), [TOKENS - 1] * len(here)),
        ORIGIN,
        skipped=(Skipped("s98", "empty text"), Skipped("s99", "non-finite")),
    )


@pytest.fixture(scope="module")
def results(last_token, examples):
    return probes.logistic(last_token, examples, resamples=50)


@pytest.fixture(scope="module")
def rendered(examples) -> dict[str, Rendered]:
    spans = TokenSpans(TOKENS, (0, TOKENS), (1, 4), None, ((1, 4),))
    return {
        example.id: Rendered(
            "<ab c>", np.arange(TOKENS, dtype=np.int32),
            np.array([[0, 1], [1, 2], [2, 3], [3, 5], [5, 6]], np.int32), spans,
        )
        for example in examples
    }  # fmt: skip


def test_curves_hold_the_very_numbers(results):
    section = curves_from(results)
    assert section.layers == LAYERS
    assert (section.metric, section.chance) == ("AUROC", 0.5)
    curve = section.curves[0]
    assert curve.name == "logistic"
    assert curve.scores == tuple(layer.score for layer in results.layers)
    assert set(curve.controls) == {"shuffled labels", "random direction"}
    for name, series in curve.controls.items():
        assert series == tuple(layer.controls[name].score for layer in results.layers)
    assert curve.selected == results.selected
    assert curve.selected_controls["shuffled labels"] == results.selection.control
    assert curve.baselines["bag of tokens"] == results.baseline
    assert set(curve.baselines) == {"bag of tokens", "length"}
    assert answer_from(section).sentence.startswith("Best block 4: AUROC")


def test_several_probes_share_a_chart_if_they_share_a_metric(results, last_token, examples):
    other = probes.mean_difference(last_token, examples, resamples=50)
    section = curves_from([results, other])
    assert [curve.name for curve in section.curves] == ["logistic", "mean difference"]
    ridge = probes.ridge(last_token, examples, resamples=50)
    with pytest.raises(SondeError, match="auroc and r2 cannot share one chart"):
        curves_from([results, ridge])


def test_sections_of_one_kind_say_what_they_show(results, last_token, examples):
    (alone,) = curves_by_metric({"truth": results})
    assert alone == curves_from({"truth": results})
    ridge = probes.ridge(last_token, examples, shuffles=0, resamples=20)
    both = {"truth": results, "number": ridge}
    assert [one.title for one in curves_by_metric(both)] == [
        "Layer by layer: AUROC",
        "Layer by layer: R²",
    ]
    assert [one.title for one in penalties_from(both)] == [
        "Layer by penalty: truth",
        "Layer by penalty: number",
    ]
    assert penalties_from({"truth": results})[0].title == "Layer by penalty"
    many = {f"p{number}": results for number in range(8)}
    sections = curves_by_metric(many)
    assert [len(one.curves) for one in sections] == [6, 2]
    assert [one.title for one in sections] == [
        "Layer by layer: p0 to p5",
        "Layer by layer: p6 to p7",
    ]
    accurate = replace(results, metric="accuracy")
    three = {"a": accurate, "b": accurate, "many": replace(results, metric="class_accuracy")}
    assert [one.title for one in curves_by_metric(three)] == [
        "Layer by layer: accuracy, a to b",
        "Layer by layer: accuracy, many",
    ]
    told = [replace(one, label=f"{one.label}!", id=one.id) for one in examples]
    other = probes.mean_difference(last_token, told, shuffles=0, resamples=20)
    assert [one.title for one in classes_from({"truth": results, "told": other})] == [
        "What was read as what: no or yes",
        "What was read as what: no! or yes!",
    ]


def test_classes_are_counted_for_each_probe(results, last_token, examples):
    other = probes.mean_difference(last_token, examples, resamples=50)
    ridge = probes.ridge(last_token, examples, resamples=50)
    (table,) = classes_from({"one": results, "two": other, "numbers": ridge})
    assert table.columns == ("Probe", "Is", "Read as no", "Read as yes", "Recall")
    assert [row[:2] for row in table.rows] == [
        ("one", "no"), ("one", "yes"), ("two", "no"), ("two", "yes"),
    ]  # fmt: skip
    counts = results.confusion.counts
    assert table.rows[0][2:4] == tuple(counts[0])
    assert table.rows[0][4] == pytest.approx(counts[0, 0] / counts[0].sum())
    assert classes_from(ridge) == ()


def test_the_chance_of_accuracy_is_the_larger_class(last_token, examples):
    """A probe that always gives the commoner answer is at chance, and so are shuffled labels."""
    some = [one for number, one in enumerate(examples) if number % 8 in (0, 2, 4, 6, 7)]
    found = probes.mean_difference(last_token, some, metric="accuracy", resamples=50)
    assert curves_from(found).chance == pytest.approx(0.8)
    assert curves_from(probes.ridge(last_token, examples, resamples=50)).chance == 0.0


def test_what_is_missing_is_a_notice(last_token, examples):
    labels = {one.id: one.label for one in examples}
    said = notices_from(probes.logistic(last_token, labels, resamples=50, shuffles=0)).items
    assert "Logistic: no baseline (no texts were given)." in [item.what for item in said]
    assert "Logistic: no shuffled labels control (switched off by shuffles: 0)." in [
        item.what for item in said
    ]


def test_what_several_probes_lack_is_said_once(last_token, examples):
    labels = {one.id: one.label for one in examples}
    quick = {"resamples": 20, "shuffles": 0, "directions": 1, "folds": 3}
    one = probes.logistic(last_token, labels, penalties=(1e-3, 1e-2), **quick)
    other = probes.mean_difference(last_token, labels, **quick)
    said = [item.what for item in notices_from({"first": one, "second": other}).items]
    assert said.count("First and second: no baseline (no texts were given).") == 1
    assert len([what for what in said if "no baseline" in what]) == 1
    # What is said of single blocks is not counted besides.
    assert any("layers the best penalty" in what for what in one.warnings)
    (edge,) = [what for what in said if "best penalty" in what]
    assert edge.startswith("First, block")


def test_cautions_come_with_their_advice(last_token, examples):
    # Words of one length, so that the bag of tokens alone is at the ceiling.
    words = {"yes": "yes", "no": "nay"}
    told = [replace(one, prompt=f"{words[one.label]} {one.id}") for one in examples]
    said = notices_from(probes.logistic(last_token, told, resamples=50)).items
    (caution,) = [
        item for item in said if "No probe can be shown to beat the baseline" in item.what
    ]
    assert caution.level == "caution"
    assert caution.advice


def test_accounting_adds_up_and_names_every_loss(results, last_token):
    section = accounting_from(results.join, read=EXAMPLES + 2, skipped=last_token.skipped)
    assert [step.rows for step in section.steps] == [EXAMPLES + 2, EXAMPLES, EXAMPLES]
    losses = section.steps[1].losses
    assert [(loss.reason, loss.examples) for loss in losses] == [
        ("empty text", ("s98",)),
        ("non-finite", ("s99",)),
    ]
    with pytest.raises(SondeError, match="does not add up"):
        accounting_from(results.join, read=EXAMPLES, skipped=last_token.skipped)


def test_unlabelled_examples_are_lost_at_the_join(last_token, examples):
    some = probes.logistic(last_token, examples[4:], resamples=50)
    section = accounting_from(some.join, read=EXAMPLES)
    assert section.steps[-1].rows == EXAMPLES - 4
    assert section.steps[-1].losses[0].examples == ("s0", "s1", "s2", "s3")


def test_warnings_name_their_blocks(last_token, examples):
    narrow = probes.logistic(last_token, examples, resamples=50, penalties=(1e3, 1e4))
    said = [item.what for item in notices_from(narrow).items]
    assert any("block" in what and "best penalty" in what for what in said)


def test_tokens_have_the_probes_own_probabilities(results, every_token, rendered, examples):
    view = token_view_from(results, every_token, rendered, examples[:3])
    assert view.layers == LAYERS
    assert view.start == results.best.hook.layer
    assert (view.low, view.threshold, view.high) == (0.0, 0.5, 1.0)
    text = view.texts[1]
    assert text.tokens == ("<", "a", "b", " c", ">")
    assert text.template == (0, 4)
    assert text.read_at == TOKENS - 1
    assert (text.label, text.positive) == ("yes", True)
    layer = results.layers[1]
    row = np.flatnonzero((every_token.rows.example == "s1") & (every_token.rows.token == 2))
    wanted = layer.probe.score(every_token.tensor(layer.hook)[row])
    assert text.scores[1][2] == pytest.approx(float(wanted[0]))


def test_a_text_is_read_by_the_fold_that_left_it_out(results, every_token, rendered, examples):
    text = token_view_from(results, every_token, rendered, examples[:3]).texts[2]
    logit = results.layers[1].scored.said[results.layers[1].scored.example == "s2"][0]
    assert text.outcome[1] == pytest.approx(1 / (1 + math.exp(-logit)))


def test_a_probe_of_one_place_shades_against_the_layers_median_token(
    results, every_token, rendered, examples
):
    """The offset that a probe has away from its place says nothing, and must not be shown."""
    view = token_view_from(results, every_token, rendered, examples[:6])
    assert view.shade
    own = [
        (text.shades[1][at], at)
        for text in view.texts
        for at in range(TOKENS)
        if at not in text.template
    ]
    shades = sorted(shade for shade, _ in own)
    assert shades[len(shades) // 2 - 1] <= 0 <= shades[len(shades) // 2]
    assert -1 <= shades[0] < shades[-1] <= 1
    # The same order as the probabilities, whatever the offset.
    pairs = [(text.scores[1][at], text.shades[1][at]) for text in view.texts for at in (1, 2, 3)]
    assert [shade for _, shade in sorted(pairs)] == sorted(shade for _, shade in pairs)


def test_shades_do_not_feel_an_offset():
    plain = TokenText(("a", "b", "c"), (1, 2, 3), ((0.1, 0.2, 0.3),))
    raw = np.array([[-2.0, 0.0, 1.0]])
    near, far = (centred([plain], [raw + offset])[0].shades[0] for offset in (0.0, 1e3))
    assert near == pytest.approx(far)
    # Distances from the median 0 are 2, 0 and 1; their 95th percentile is 1.9.
    assert near == pytest.approx((-1.0, 0.0, 1 / 1.9))


@pytest.mark.parametrize("kind", ["ridge", "mean_difference"])
def test_other_probes_colour_on_their_own_scale(kind, last_token, every_token, rendered, examples):
    found = getattr(probes, kind)(last_token, examples, resamples=50)
    view = token_view_from(found, every_token, rendered, examples[:3])
    assert view.low < view.threshold < view.high
    assert all(score is not None for row in view.texts[0].scores for score in row)


def test_texts_without_token_activations_are_refused(results, last_token, rendered):
    stranger = Example(id="s77", prompt="x", label="yes")
    with pytest.raises(SondeError, match=r"no token activations of example 's77'"):
        token_view_from(results, last_token, {"s77": rendered["s1"]}, [stranger])


def massive() -> MassiveDimensions:
    token = TokenMagnitude(example="s1", position=0, token_id=1, text="<s>", magnitude=900.0)
    dimension = MassiveDimension(
        dimension=507, ratios=(1.0, 150.0), layers=(4,), severe=True, peak_layer=4,
        at_first=900.0, at_early=12.0, at_later=None, largest=(token,),
    )  # fmt: skip
    norms = (
        LayerNorms(
            layer=0, full_norm=10.0, typical_norm=9.0, median_magnitude=0.1, sink_ratio=None
        ),
        LayerNorms(layer=4, full_norm=40.0, typical_norm=20.0, median_magnitude=0.2, sink_ratio=50),
    )
    return MassiveDimensions(
        origin=ORIGIN, settings=MassiveSettings(), layers=LAYERS, n_tokens=100, n_sinks=4,
        dimensions=(dimension,), norms=norms,
        sinks=(Sinks(position=0, token_id=1, text="<s>", count=4, ratio=60.0),),
    )  # fmt: skip


def test_massive_dimensions_are_shown_as_measured():
    view = massive_from(massive(), examples=8, use_layer=4)
    assert view.tokens == 96, "sinks are not ordinary tokens"
    assert view.sink_norm == (None, 2000.0), "their ratio times the full norm"
    assert view.sinks[0].share == 0.5
    assert view.coordinates[0].where == (
        "900 at the first token and 12 in the next nine; largest at '<s>' (token 0): 900"
    )


def test_everything_makes_one_page(results, last_token, every_token, rendered, examples):
    curves = curves_from(results)
    page = render(
        Report(
            "Title",
            "Question?",
            (
                notices_from(results),
                accounting_from(results.join, read=EXAMPLES + 2, skipped=last_token.skipped),
                curves,
                massive_from(massive(), examples=8, use_layer=4),
                token_view_from(results, every_token, rendered, examples[:3]),
            ),
            answer_from(curves),
        )
    )
    assert "Best block 4: AUROC" in page
    assert "The accounting" not in page
