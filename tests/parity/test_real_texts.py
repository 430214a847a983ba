"""Probes of real sentences, as the embedded model reads them, beside scikit-learn on the same."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sonde
from real_texts import editorials, review_ratings, reviews
from sonde import probes
from sonde.data import DrawSettings, draw_comparisons
from sonde.probes import UtilitySettings, fit_utilities, rank_correlation
from sonde.stats import grouped_folds

PENALTIES = (10.0, 100.0, 1000.0, 10_000.0)
N = 300
QUICK = {"penalties": PENALTIES, "resamples": 200, "shuffles": 2, "directions": 0}


@pytest.fixture(scope="module")
def model(embedded_name, shared_data):
    assert shared_data.is_dir()
    return sonde.load(embedded_name)


def read(model, examples, layer):
    how = {"hooks": "resid_post", "layers": [layer], "positions": "prompt.mean", "template": "none"}
    return sonde.extract(model, examples, progress=False, **how)


@pytest.fixture(scope="module")
def told(model, shared_data):
    """Reviews at block 3, the mean over their tokens."""
    examples = reviews(shared_data, N)
    return read(model, examples, 3), examples


@pytest.fixture(scope="module")
def drawn(shared_data):
    """Noisy choices between reviews: one rating of each, drawn at random."""
    ratings = review_ratings(shared_data, N)
    return draw_comparisons(ratings, DrawSettings(n=4000)), ratings


def test_ridge_of_ratings_scores_as_a_grid_search_does(told):
    acts, examples = told
    found = probes.ridge_scores(acts, examples, penalties=PENALTIES)
    x = acts.tensor(acts.hooks[0]).double().numpy()
    y = np.array([one.label for one in examples])
    assert acts.rows.example.tolist() == [one.id for one in examples]
    folds = PredefinedSplit(grouped_folds(acts.rows.example, 5))
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = GridSearchCV(pipeline, {"ridge__alpha": PENALTIES}, cv=folds).fit(x, y)
    theirs = search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(found.by_fold.mean(axis=-1)[0], theirs, rtol=0, atol=1e-6)


def test_ratings_are_read_better_than_words_and_chance_allow(told):
    acts, examples = told
    found = probes.ridge(acts, examples, **QUICK)
    assert found.selected.low > 0.1
    assert found.selection.control.high < 0.1
    assert found.baseline.value < found.selected.value
    assert found.n_rows == N


def test_choices_between_reviews_are_foreseen_and_shuffled_ones_are_not(told, drawn):
    acts, _ = told
    comparisons, _ = drawn
    found = probes.bradley_terry(acts, comparisons, baseline=False, **QUICK)
    assert found.selected.low > 0.52
    assert abs(found.selection.control.value - 0.5) < 0.06
    tested = len(found.selection.scored)
    assert 0.15 < tested / len(comparisons) < 0.25  # pairs within one of five folds


def test_the_final_fit_to_choices_is_scikit_learns_on_differences(told, drawn):
    acts, _ = told
    comparisons, _ = drawn
    penalty = 100.0
    few = {"resamples": 10, "shuffles": 0, "directions": 0, "baseline": False}
    probe = probes.bradley_terry(acts, comparisons, penalties=(penalty,), **few).best
    x = acts.tensor(acts.hooks[0]).double().numpy()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    row = {name: at for at, name in enumerate(acts.rows.example.tolist())}
    first, second = (
        [row[name] for name in ids.tolist()] for ids in (comparisons.first, comparisons.second)
    )
    peer = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=10_000)
    peer.fit(z[first] - z[second], comparisons.outcome)
    said = probe.apply(acts).numpy()
    theirs = z @ peer.coef_[0]
    np.testing.assert_allclose(said - said.mean(), theirs - theirs.mean(), atol=1e-3)


@pytest.mark.parametrize("kind", ["bradley_terry", "thurstone"])
def test_utilities_of_noisy_choices_order_reviews_as_their_mean_ratings_do(drawn, kind):
    comparisons, ratings = drawn
    means = {name: float(np.mean(given)) for name, given in ratings.items()}
    found = fit_utilities(comparisons, UtilitySettings(model=kind))
    assert rank_correlation(found.by_item(), means).low > 0.65


def test_sentences_of_one_document_on_both_sides_of_a_fold_leak(model, shared_data):
    """Nothing tells a new document's mean rating here, but its own other sentences do."""
    examples = editorials(shared_data, 30)
    grouped = read(model, examples, 0)
    assert len(set(grouped.rows.group)) == 30
    alone = replace(grouped, rows=replace(grouped.rows, group=np.full(len(examples), "")))
    kept = probes.ridge(grouped, examples, baseline=False, **QUICK)
    leaked = probes.ridge(
        alone, [replace(one, group=None) for one in examples], baseline=False, **QUICK
    )
    assert (kept.n, leaked.n) == (30, len(examples))
    assert kept.selected.value < 0.05
    assert leaked.selected.low > 0.05
