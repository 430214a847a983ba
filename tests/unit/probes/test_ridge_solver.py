"""Ridge on both sides: large problems, solved from single precision, give the answer of small."""

import numpy as np
import pytest
import torch

from sonde.core.errors import SondeError
from sonde.probes import row_side, shifted
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import ridge_solver

PENALTIES = (0.1, 1.0, 100.0, 1e5)


def problem(n, d, seed=0, power=0.5):
    """Unequal scales, a decaying spectrum, a constant coordinate, two that one row decides."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(2, n, d)) * np.arange(1, d + 1) ** -power) @ rng.normal(size=(d, d))
    x = x * np.geomspace(0.01, 10, d) + 5 * rng.normal(size=d)
    x[:, :, 1] = 0.1
    x[:, 5, 2] += 1e4
    x[:, :, 3] = 0.2
    x[:, 7, 3] = 5.0
    y = rng.normal(3, 2, size=(n, 2))
    folds = rng.permutation(np.arange(n) % 4)
    return Problem.plain(*map(torch.from_numpy, (x, y, folds)))


@pytest.mark.parametrize(("n", "d"), [(60, 90), (120, 30)])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.5])
def test_single_precision_does_not_show(monkeypatch, n, d, power):
    given = problem(n, d, power=power)
    small = ridge_solver(given)
    want = [small.held_out(left_out, PENALTIES) for left_out in ((1,), (0, 3))]
    final = small.final(torch.tensor([0.1, 100.0]))
    monkeypatch.setattr(shifted, "SMALL", 0)
    monkeypatch.setattr(row_side, "SMALL", 0)
    large = ridge_solver(given)
    got = [large.held_out(left_out, PENALTIES) for left_out in ((1,), (0, 3))]
    for one, other in zip(got, want, strict=True):
        scale = other.norm(dim=2, keepdim=True)
        assert float(((one - other) / scale).abs().max()) < 1e-8
    for one, other in zip(large.final(torch.tensor([0.1, 100.0])), final, strict=True):
        torch.testing.assert_close(one(given.x[0]), other(given.x[0]), rtol=1e-6, atol=1e-6)


def test_worked_by_hand():
    # x = -1, 0, 1 has scale (2/3)^0.5, so z'z = 3 and z'y = 2 / (2/3)^0.5 for y = 0, 1, 2;
    # with penalty 3 the weight halves: 0.5 on x, and the mean 1 stays.
    x = torch.tensor([[[-1.0], [0.0], [1.0]]], dtype=torch.float64)
    given = Problem.plain(x, torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))
    (reader,) = ridge_solver(given).final(torch.tensor([3.0], dtype=torch.float64))
    assert reader.weight.tolist() == [[pytest.approx(0.5)]]
    assert reader.bias.tolist() == [pytest.approx(1.0)]


@pytest.mark.parametrize(("n", "d"), [(12, 30), (60, 8)])
def test_shuffles_beside_the_labels_change_nothing(n, d):
    given = problem(n, d)
    alone = Problem(given.x, given.y[:, :1], given.folds, given.example)
    both, one = (ridge_solver(it).held_out((2,), PENALTIES) for it in (given, alone))
    torch.testing.assert_close(both[:, :, :, :1], one)


def test_a_penalty_that_double_precision_cannot_hold_is_named():
    given = problem(12, 30)
    with pytest.raises(SondeError, match="too small for float64"):
        ridge_solver(given).held_out((0,), (-1.0,))
