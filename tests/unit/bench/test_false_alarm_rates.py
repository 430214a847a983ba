"""The simulations of docs/trust.md, few of each: real searches, claims at their boundary."""

import numpy as np
import pytest
from bench.trust import planted
from bench.trust.false_alarms import simulate
from bench.trust.procedures import Search
from bench.trust.scenarios import CoefficientScenario, ProbeScenario
from scipy.stats import binom, norm

MEANS = Search("mean_difference")
SMALL = (
    ProbeScenario("noise over chance", MEANS, ((0.0, 0.0),), n=60, d=32, repeats=30),
    ProbeScenario(
        "equal strengths",
        MEANS,
        ((1.0,), (1.0,)),
        kinds=("superiority", "non_inferiority"),
        weights=(1.0, -1.0),
        n=60,
        repeats=20,
    ),
    CoefficientScenario("coefficients of no effect", (0.4,) * 7, n=40, repeats=40),
)


@pytest.mark.parametrize("scenario", SMALL, ids=lambda one: one.what)
def test_few_claims_at_their_boundary_are_confirmed(scenario):
    truth = 0.5 if len(scenario.weights) == 1 else 0.0
    outcome = simulate(scenario, truth, range(scenario.repeats))
    for confirmed in (outcome.found, outcome.average):
        for alarms in confirmed.sum(axis=0):
            assert binom.sf(alarms - 1, scenario.repeats, 0.05) > 0.001
    assert binom.cdf(outcome.covered.sum(), scenario.repeats, 0.95) > 0.001


def test_a_true_difference_is_confirmed():
    """The same judge says yes where there is something: it does not merely always refuse."""
    scenario = ProbeScenario("signal", MEANS, ((2.0,),), n=60)
    assert simulate(scenario, 0.5, range(8)).average.mean() > 0.9


def test_what_a_search_is_worth_is_its_score_on_fresh_rows():
    """The closed form of a fitted probe's AUROC, against 40,000 rows drawn anew."""
    rng = np.random.default_rng(0)
    data = planted.classes(rng, (0.0, 1.5), 80, 8)
    worth = MEANS.worth(data, seed=0)
    probe = MEANS.fit(data, 0, 4).layers[1].probe
    label = np.arange(40_000) % 2
    rows = rng.normal(size=(40_000, 8)) + (label - 0.5)[:, None] * data.means[1]
    said = rows @ probe.weight.numpy()
    positive, negative = said[label == 1], said[label == 0]
    measured = np.mean(np.searchsorted(np.sort(negative), positive)) / len(negative)
    assert worth[0] == worth[2]  # the planted layer is chosen
    assert worth[2] == pytest.approx(measured, abs=0.01)
    assert worth[2] < norm.cdf(1.5 / np.sqrt(2))
    assert worth[1] == 0.5


def test_what_was_found_is_worth_its_folds_probes():
    """The same for the probes of the outer folds, fitted again by hand on the other folds' rows."""
    data = planted.classes(np.random.default_rng(1), (0.0, 1.5), 80, 8)
    results = MEANS.fit(data, 0)
    x, fold = data.acts.tensors[results.layers[1].hook].numpy(), results.layers[1].scored.fold
    true = []
    for held in range(5):
        train = fold != held
        weight = x[train & (data.labels == 1)].mean(0) - x[train & (data.labels == 0)].mean(0)
        true.append(norm.cdf(weight @ data.means[1] / np.linalg.norm(weight) / np.sqrt(2)))
    assert {hook.layer for hook in results.selected_hooks} == {1}
    assert MEANS.worth_found(data, results) == pytest.approx(np.mean(true))
