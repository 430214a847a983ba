"""Which columns share an inverse Hessian, and what that inverse is."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.probes.likelihood import TwoClasses
from sonde.probes.newton_equations import RIDGE, runs
from sonde.probes.newton_inverses import LEAST, NEIGHBOURS, Inverses, neighbours


def test_like_penalties_share_and_shuffles_stay_apart():
    penalty = {0: 0.01, 1: 0.1, 2: 1.0, 3: 1e4, 4: 0.01, 5: 0.1}
    assert neighbours([0, 1, 2, 3, 4, 5], penalty) == [[0, 1, 2], [3], [4, 5]]
    assert neighbours([0, 2, 4], penalty) == [[0, 2], [4]]
    assert neighbours([], penalty) == []


@given(st.lists(st.floats(1e-3, 1e6), max_size=12).map(sorted))
def test_every_group_is_in_one_set_of_like_penalties(values):
    penalty = dict(enumerate(values))
    sets = neighbours(list(penalty), penalty)
    assert [group for one in sets for group in one] == list(penalty)
    for one in sets:
        assert penalty[one[-1]] <= NEIGHBOURS * penalty[one[0]]


def equations(columns):
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(2, 20, 4)))
    y = torch.from_numpy(rng.integers(0, 2, (columns, 20)).astype(float))
    chance = torch.from_numpy(rng.uniform(0.1, 0.9, (2, columns, 1, 20)))
    return z, TwoClasses(y, torch.ones_like(y)), chance


def test_a_shared_inverse_is_of_the_mean_curvature_and_penalty():
    z, likelihood, chance = equations(3)
    penalty = torch.tensor([1.0, 3.0, 1e6], dtype=torch.float64)[None, :, None].expand(2, 3, 4)
    inverses = Inverses(due=[[0, 1]])
    inverses.renew(z, likelihood, chance, penalty, runs(torch.arange(3)))
    assert set(inverses.of) == {0, 1}
    assert inverses.of[0] is inverses.of[1]
    curvature = (chance * (1 - chance))[:, :2, 0].mean(dim=1)
    ridge = 2.0 + RIDGE * curvature.sum(dim=1)
    hessian = torch.einsum("lr,lra,lrb->lab", curvature, z, z)
    hessian += torch.diag_embed(ridge[:, None].expand(-1, 4))
    np.testing.assert_allclose(inverses.of[0] @ hessian, np.eye(4)[None].repeat(2, 0), atol=1e-9)


def test_groups_whose_fits_have_ended_need_none():
    z, likelihood, chance = equations(1)
    penalty = torch.ones(2, 1, 4, dtype=torch.float64)
    inverses = Inverses(due=[[0], [1, 2]])
    inverses.renew(z, likelihood, chance, penalty, [(2, torch.tensor([0]))])
    assert set(inverses.of) == {1, 2}


def test_an_inverse_is_due_after_too_many_products():
    inverses = Inverses()
    groups = runs(torch.arange(3))
    penalty = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    inverses.judge(torch.tensor([LEAST + 1, LEAST, LEAST + 5]), penalty, groups, (20, 4))
    assert inverses.due == [[0, 2]]
    inverses.judge(torch.tensor([1, 2, 3]), penalty, groups, (20, 4))
    assert inverses.due == []
