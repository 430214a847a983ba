import numpy as np

from planted import activations, as_examples, planted_classes
from sonde import probes
from sonde.probes.names import BAG

QUICK = {"resamples": 100, "shuffles": 1, "directions": 1}


def test_words_at_the_ceiling_leave_a_probe_no_room():
    acts, label, _ = planted_classes(n=80, strength=6.0)
    texts = [f"the {'cat' if one else 'dog'} sat on mat {row}" for row, one in enumerate(label)]
    found = probes.logistic(acts, as_examples(acts, label, texts), **QUICK)
    (caution,) = found.cautions
    assert caution.what.startswith(f"No probe can be shown to beat the baseline '{BAG}'.")
    assert "ceiling" in caution.what
    assert caution.advice
    assert "caution" in str(found)
    mute = probes.logistic(acts, as_examples(acts, label), **QUICK)
    assert mute.cautions == ()


def test_a_probe_that_always_says_no_is_caught_whatever_its_accuracy():
    """3 % of the rows are positive: always saying no is right in 97 % of cases."""
    rng = np.random.default_rng(0)
    label = (np.arange(200) % 33 == 0).astype(int)
    acts = activations([rng.normal(size=(200, 4))])
    found = probes.logistic(acts, label, metric="accuracy", **QUICK)
    assert found.selected.value > 0.9
    assert found.confusion is not None
    assert found.confusion.counts.sum() == 200
    assert found.confusion.recalls[1] < 0.5
    (caution,) = found.cautions
    assert "It says '0' of" in caution.what
    assert "Balance the classes" in caution.advice


def test_the_confusion_matrix_is_that_of_the_rows():
    acts, label, _ = planted_classes(n=80, strength=3.0)
    found = probes.mean_difference(acts, label, **QUICK)
    scored = found.selection.scored
    said, true = scored.predicted > 0, scored.truth > 0.5
    assert found.confusion is not None
    assert found.confusion.labels == ("0", "1")
    assert found.confusion.counts.tolist() == [
        [int((~said & ~true).sum()), int((said & ~true).sum())],
        [int((~said & true).sum()), int((said & true).sum())],
    ]
    layer = found.layers[1]
    assert layer.confusion is not None
    assert layer.confusion.accuracy == layer.metrics["accuracy"].value


def test_fitted_numbers_have_no_confusion_matrix():
    acts, label, _ = planted_classes(n=60)
    found = probes.ridge(acts, label.astype(float), **QUICK)
    assert found.confusion is None
    assert found.layers[0].confusion is None
