"""What a notebook is shown of each kind of thing, and what it refuses."""

import pytest

import sonde
from sonde import probes
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer
from sonde.report import Report, TransferCell, TransferMatrix
from sonde.stats.interval import Interval

EXAMPLES = [
    Example(
        id=f"s{at}", prompt=f"{'yes' if at % 2 else 'no'} {at % 5}", label=["no", "yes"][at % 2]
    )
    for at in range(30)
]


@pytest.fixture(scope="module")
def model():
    hf = tiny_hf("llama", seed=0, vocab_size=320)
    return wrap(hf, byte_tokenizer(320), name="tiny", revision="0", fingerprint="llama0")


@pytest.fixture(scope="module")
def results(model):
    acts = sonde.extract(model, EXAMPLES, positions="prompt[-1]", progress=False)
    return probes.logistic(acts, EXAMPLES, resamples=20, penalties=(1.0, 10.0))


def test_results_show_their_curves_penalties_and_classes_and_print_as_they_do(results):
    shown = sonde.display(results, title="Yes or no")
    assert [one.kind for one in shown.report.sections] == [
        "notices", "layer_curves", "table", "penalty_map", "calibration",
    ]  # fmt: skip
    assert repr(shown) == str(results)
    html = shown._repr_html_()
    assert html.count("<iframe") == 1 and "Yes or no" in html
    named = sonde.display({"first": results, "second": results})
    assert [curve.name for curve in named.report.sections[1].curves] == ["first", "second"]


def test_results_of_several_metrics_have_a_chart_each(results, model):
    acts = sonde.extract(model, EXAMPLES, positions="prompt[-1]", progress=False)
    places = {one.id: (float(at), float(at % 7)) for at, one in enumerate(EXAMPLES)}
    quick = {"shuffles": 0, "directions": 0, "resamples": 20, "penalties": (10.0,), "folds": 3}
    where = probes.ridge(acts, places, **quick)
    shown = sonde.display({"truth": results, "place": where})
    titles = [one.title for one in shown.report.sections]
    assert {"Layer by layer: AUROC", "Layer by layer: R²", "Place: each target"} <= set(titles)
    with pytest.raises(SondeError, match="no view of list objects"):
        sonde.display([])


def test_a_probe_colours_texts_and_results_do_so_at_every_layer(results, model):
    one = sonde.display(results.best, "no yes no", model=model)
    (view,) = one.report.sections
    assert view.layers == (results.best.hook.layer,)
    assert "no yes no" in "".join(view.texts[0].tokens)
    whole = sonde.display(results, EXAMPLES[:3], model=model)
    (view,) = whole.report.sections
    assert len(view.layers) == len(results.layers) and len(view.texts) == 3
    assert repr(whole).endswith(f"3 texts by {len(results.layers)} probes, token by token")


def test_a_section_says_its_sentence(tmp_path):
    section = TransferMatrix((TransferCell("a", "b", Interval(0.7, 0.6, 0.8, 9)),))
    shown = sonde.display(section)
    assert repr(shown).startswith("Trained here, tested there: 1 of 1 transfers lie above chance")
    assert shown.save(tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "2 sections" in repr(sonde.display(Report("t", "q", (section, section))))


def test_what_cannot_be_shown_is_refused(results, model):
    with pytest.raises(SondeError, match="no view of int objects"):
        sonde.display(3)
    with pytest.raises(SondeError, match="none were given"):
        sonde.display(results.best)
    with pytest.raises(SondeError, match="by a probe or by one result, not by a list"):
        sonde.display([results], ["a"], model=model)
    other = wrap(
        tiny_hf("llama", seed=1, vocab_size=320), byte_tokenizer(320),
        name="other", revision="0", fingerprint="llama1",
    )  # fmt: skip
    with pytest.raises(SondeError, match="was fitted on tiny"):
        sonde.display(results.best, ["a"], model=other)
