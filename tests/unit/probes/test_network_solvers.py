"""The probes that are trained: what they find, what they don't, and that they do it again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sonde.core.errors import SondeError
from sonde.probes.attention_solver import AttentionReader, attention_solver
from sonde.probes.mlp_solver import MlpReader, mlp_solver
from sonde.probes.multi_token_solver import (
    MultiToken,
    MultiTokenReader,
    Pooling,
    multi_token_solver,
)
from sonde.probes.networks import Inputs
from sonde.probes.problem import Problem
from sonde.probes.settings.networks import AttentionSettings, MlpSettings, MultiTokenSettings
from sonde.probes.tokens import pooled_max, rolling_means
from sonde.stats.folds import grouped_folds
from sonde.stats.metrics import METRICS


def out_of_fold(solver, penalties=(1.0,)):
    folds, parts = solver.problem.folds, []
    for fold in range(solver.problem.n_folds):
        held = solver.held_out((fold,), penalties)
        parts.append((folds == fold, held))
    said = torch.empty((*held.shape[:2], len(folds), *held.shape[3:]), dtype=held.dtype)
    for here, held in parts:
        said[:, :, here] = held
    return said.numpy()


def rows(y, x, repetitions=1, seed=0):
    rng = np.random.default_rng(seed)
    columns = np.stack([y, *(rng.permutation(y) for _ in range(repetitions - 1))], axis=1)
    folds = torch.from_numpy(grouped_folds(np.arange(len(y)), 5, seed=seed))
    return Problem.plain(torch.as_tensor(x), torch.from_numpy(columns.astype(float)), folds)


def texts(n=80, d=8, strength=4.0, sizes=(3, 10), repetitions=1):
    """Examples of 3 to 9 tokens or so, one of which holds the sign of the label along coordinate 0.

    A marker on coordinate 1 tells which token it is, so that the mean of the tokens drowns it.
    """
    rng = np.random.default_rng(0)
    sizes = rng.integers(*sizes, n)
    example = np.repeat(np.arange(n), sizes)
    y = np.tile([0.0, 1.0], n // 2)
    x = rng.normal(size=(1, len(example), d))
    there = (sizes.cumsum() - sizes) + rng.integers(0, sizes)
    x[-1, there, 0] += strength * (2 * y - 1)
    x[-1, there, 1] += strength
    columns = np.stack([y, *(rng.permutation(y) for _ in range(repetitions - 1))], axis=1)
    folds = grouped_folds(np.arange(n), 5, classes=y)[example]
    return Problem(
        torch.from_numpy(x),
        torch.from_numpy(columns[example])[..., None],
        torch.from_numpy(folds),
        torch.from_numpy(example),
    )


def scored(problem, said, metric="auroc", repetition=0):
    first = np.flatnonzero(np.diff(problem.example.numpy(), prepend=-1))
    truth = problem.y.numpy()[first, repetition, 0]
    return METRICS[metric].value(truth, said[-1, 0, first, repetition, 0])


def test_an_mlp_finds_exclusive_or_and_a_linear_probe_does_not():
    x = np.random.default_rng(0).normal(size=(1, 200, 4))
    y = (x[0, :, 0] * x[0, :, 1] > 0).astype(float)
    problem = rows(y, x)
    said = out_of_fold(mlp_solver(MlpSettings(learning_rate=0.1))(problem))
    assert scored(problem, said) > 0.9
    linear = LogisticRegression().fit(x[0, :100], y[:100]).decision_function(x[0, 100:])
    assert METRICS["auroc"].value(y[100:], linear) < 0.65


def test_an_mlp_reaches_a_linear_probe_where_the_truth_is_linear():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 160, 8)) * np.arange(1, 9) + 5
    y = ((x[0] - 5) @ (1 / np.arange(1, 9)) + rng.normal(size=160) > 0).astype(float)
    problem = rows(y, x)
    said = scored(problem, out_of_fold(mlp_solver(MlpSettings())(problem)))
    logistic = np.empty(160)
    for fold in range(5):
        held = (problem.folds == fold).numpy()
        logistic[held] = (
            LogisticRegression().fit(x[0, ~held], y[~held]).decision_function(x[0, held])
        )
    assert said > METRICS["auroc"].value(y, logistic) - 0.02


def test_an_mlp_fits_numbers_in_their_own_unit_and_several_at_once():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1, 120, 6))
    targets = np.stack([1000 + 50 * x[0, :, 0], 0.01 * np.abs(x[0, :, 1])], axis=1)
    plain = rows(targets[:, 0], x)
    problem = Problem(plain.x, torch.from_numpy(targets)[:, None], plain.folds, plain.example)
    solver = mlp_solver(MlpSettings(metric="r2", epochs=400))(problem)
    said = out_of_fold(solver)[0, 0, :, 0]
    assert METRICS["r2"].value(targets[:, 0], said[:, 0]) > 0.9
    assert METRICS["r2"].value(targets[:, 1], said[:, 1]) > 0.5
    read = solver.final(torch.tensor([1.0]))[0](problem.x[0])
    assert METRICS["r2"].value(targets[:, 0], read[:, 0].numpy()) > 0.95


def test_an_mlp_tells_several_classes_apart():
    rng = np.random.default_rng(3)
    y = np.tile([0.0, 1.0, 2.0], 50)
    x = rng.normal(size=(1, 150, 5)) + 3 * np.eye(5)[y.astype(int)]
    problem = rows(y, x)
    said = out_of_fold(mlp_solver(MlpSettings(metric="class_accuracy"))(problem))
    assert said.shape == (1, 1, 150, 1, 3)
    assert (said[0, 0, :, 0].argmax(axis=-1) == y).mean() > 0.85


SOLVERS = {
    "mlp": mlp_solver(MlpSettings(epochs=30, width=6)),
    "attention": attention_solver(AttentionSettings(epochs=30, heads=2)),
    "max": multi_token_solver(MultiTokenSettings(epochs=40)),
    "mean": multi_token_solver(MultiTokenSettings(epochs=30, pooling="mean")),
    "rolling": multi_token_solver(MultiTokenSettings(epochs=40, pooling="rolling", window=3)),
}


@pytest.mark.parametrize("kind", SOLVERS)
def test_again_is_the_same_to_the_bit_and_shuffles_change_nothing(kind):
    problem, alone = texts(n=40, repetitions=3), texts(n=40)
    first = SOLVERS[kind](problem).held_out((1,), (1.0, 30.0))
    assert torch.equal(first, SOLVERS[kind](problem).held_out((1,), (1.0, 30.0)))
    lone = SOLVERS[kind](alone).held_out((1,), (1.0, 30.0))
    torch.testing.assert_close(first[:, :, :, :1], lone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", SOLVERS)
def test_a_saved_reader_says_what_was_trained(kind):
    """The final fit stands on all rows; with the standardisation folded in it reads raw ones."""
    problem = texts(n=40)
    raw = Problem(problem.x * 30 - 200, problem.y, problem.folds, problem.example)
    solver = SOLVERS[kind](raw)
    (reader,) = solver.final(torch.tensor([1.0]))
    again = type(reader).of(reader.tensors())
    _, sizes = torch.unique_consecutive(raw.example, return_counts=True)
    alike = [again(part) for part in raw.x[0].split(sizes.tolist())]
    train = torch.ones(len(raw.folds), dtype=torch.bool)
    for z, _, _ in solver._layers(train):
        found = solver._fit(z, train, torch.ones((1, 1)), solver._answers(train, 1))
        said = solver.network(found, solver._inputs(z, train), None)[0, 0]
    if reader.pools:
        assert all(bool((one == one[0]).all()) for one in alike)
        alike = [one[:1] for one in alike]
    torch.testing.assert_close(torch.cat(alike), said.double(), rtol=1e-3, atol=1e-3)


def test_attention_finds_one_token_among_many():
    problem = texts(n=80, sizes=(12, 25), strength=5.0)
    quick = {"learning_rate": 0.2, "epochs": 60}
    prepared = attention_solver(AttentionSettings(**quick))(problem)
    said = scored(problem, out_of_fold(prepared))
    settings = MultiTokenSettings(pooling="mean", **quick)
    mean = scored(problem, out_of_fold(multi_token_solver(settings)(problem)))
    assert said > 0.95
    assert said > mean + 0.05
    reader = prepared.final(torch.tensor([1.0]))[0]
    found = 0
    for number in range(80):
        own = problem.x[0, problem.example == number]
        attention = reader.attention(own)
        np.testing.assert_allclose(attention.sum(dim=0), 1)
        torch.testing.assert_close(reader.tokens(own).sum(dim=0) + reader.bias, reader(own)[0])
        found += int(attention[:, 0].argmax()) == int(own[:, 1].argmax())
    assert found > 30  # by chance it would be 4


@pytest.mark.parametrize("pooling", ["max", "rolling"])
def test_pooled_probes_find_one_token_among_many(pooling):
    problem = texts(n=80)
    window = 2 if pooling == "rolling" else None
    settings = MultiTokenSettings(pooling=pooling, window=window, learning_rate=0.1, epochs=60)
    assert scored(problem, out_of_fold(multi_token_solver(settings)(problem))) > 0.9


@pytest.mark.parametrize("kind", SOLVERS)
def test_shuffled_labels_are_at_chance(kind):
    problem = texts(n=60, repetitions=9)
    said = out_of_fold(SOLVERS[kind](problem))
    if kind == "mlp":
        truth = problem.y.numpy()[:, :, 0]
        scores = [METRICS["auroc"].value(truth[:, it], said[0, 0, :, it, 0]) for it in range(1, 9)]
    else:
        scores = [scored(problem, said, repetition=number) for number in range(1, 9)]
    assert 0.38 < np.mean(scores) < 0.58


def test_one_training_fold_is_too_few():
    problem = texts(n=20)
    with pytest.raises(SondeError, match="left one fold to train on"):
        SOLVERS["mlp"](problem).held_out((0, 1, 2, 3), (1.0,))


def test_reading_by_hand():
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0], [2.0, 5.0]], dtype=torch.float64)
    none, one = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    each = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    half = torch.tensor([0.5], dtype=torch.float64)
    for window, expected in ((1, 3.5), (0, 2.5), (2, 3.0), (9, 2.5)):
        reader = MultiTokenReader(each, half, Pooling(window), none, one)
        assert reader(x)[:, 0].tolist() == pytest.approx([expected] * 3)
    # exp(q x): 1, 1, 1/5 once the logits are 0, 0, -log 5
    query = torch.tensor([[0.0, -np.log(5) / 5]], dtype=torch.float64)
    attention = AttentionReader(query, each[None], half, none, one)
    assert float(attention(x)[0, 0]) == pytest.approx((1 + 3 + 2 / 5) / 2.2 + 0.5)
    # With a mean of (1, 0): (1 - 1) / 2.2, (3 - 1) / 2.2 and (2 - 1) / 5 / 2.2 of 1 + 0.5.
    shared = AttentionReader(query, each[None], half, one - torch.tensor([0.0, 1]), one)
    assert shared.shares(x)[:, 0].tolist() == pytest.approx([0, 2 / 2.2, 0.2 / 2.2])
    assert float(shared.offset) == 1.5
    assert float(shared.shares(x).sum() + shared.offset) == pytest.approx(float(shared(x)[0, 0]))
    mlp = MlpReader(torch.eye(2).double(), none - 2, each + 1, half, none, one)
    assert mlp(x)[:, 0].tolist() == pytest.approx([0.5, 2.5, 3.5])


@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=7), min_size=1, max_size=4),
       st.integers(1, 4))  # fmt: skip
@settings(max_examples=40)
def test_rolling_means_are_those_of_each_window(scores, window):
    longest = max(map(len, scores))
    each = torch.zeros((len(scores), longest), dtype=torch.float64)
    there = torch.zeros_like(each, dtype=torch.bool)
    for number, own in enumerate(scores):
        each[number, : len(own)] = torch.tensor(own, dtype=torch.float64)
        there[number, : len(own)] = True
    means, present = rolling_means(each, there, window)
    for number, own in enumerate(scores):
        width = min(window, len(own))
        wanted = [np.mean(own[at : at + width]) for at in range(len(own) - width + 1)]
        np.testing.assert_allclose(means[number][present[number]], wanted, atol=1e-9)


def test_the_soft_maximum_lies_between_mean_and_maximum_and_hardens():
    each = torch.tensor([[0.0, 1.0, 3.0, 9.0]], dtype=torch.float64)
    there = torch.tensor([[True, True, True, False]])
    soft = [float(pooled_max(each, there, heat)) for heat in (1e6, 3.0, 1.0, 0.1, 0.0)]
    assert soft == sorted(soft)
    assert soft[0] == pytest.approx(4 / 3, abs=1e-4)
    assert soft[-1] == 3


@pytest.mark.parametrize("window", [0, 1, 2])
def test_pooling_slopes_are_right(window):
    """Beside the kinks of the maximum the slope is that of small differences."""
    problem = texts(n=6, d=3)
    solver = multi_token_solver(MultiTokenSettings())(problem)
    every = torch.ones(len(problem.folds), dtype=torch.bool)
    inputs = Inputs(problem.x, solver._inputs(problem.x, every).tokens)
    dice = torch.Generator().manual_seed(0)
    weight = torch.randn((1, 2, 1, 3), generator=dice, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((1, 2, 1), dtype=torch.float64, requires_grad=True)
    network = MultiToken(Pooling(window), 10)
    assert torch.autograd.gradcheck(lambda *own: network(own, inputs, 3), (weight, bias))
