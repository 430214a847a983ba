"""How far causes were found: by hand, and as far as an exact dictionary and noise go."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.dictionaries.known_truth import KnownTruth, TruthSettings
from sonde.dictionaries.recovery import recovery


def test_by_hand():
    """Latent 1 is cause 0, latent 0 at 45 degrees the best that is left for cause 1."""
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    decoder = torch.tensor([[3.0, 3.0], [2.0, 0.0], [0.0, -5.0]])
    fires = torch.tensor([[1, 0], [1, 1], [0, 1], [0, 0]]).bool()
    active = torch.tensor([[0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 1, 0]]).bool()
    found = recovery(directions, decoder, fires, active)
    assert found.latent.tolist() == [1, 0]
    assert found.cosine.tolist() == pytest.approx([1, 0.5**0.5])
    assert found.mcc == pytest.approx((1 + 0.5**0.5) / 2)
    assert found.precision.tolist() == pytest.approx([2 / 3, 1 / 2])
    assert found.recall.tolist() == pytest.approx([1, 1 / 2])
    assert found.f1.tolist() == pytest.approx([0.8, 0.5])
    assert found.n_rows.tolist() == [2, 2]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_and_length_of_latents_do_not_matter(seed):
    truth = KnownTruth(TruthSettings(n_causes=12, d=16, active=2.0, groups=4, seed=seed % 100))
    drawn = truth.draw(200, seed)
    fires = drawn.strength > 0
    rng = np.random.default_rng(seed)
    order = torch.from_numpy(rng.permutation(12))
    lengths = torch.from_numpy(rng.uniform(0.1, 9, (12, 1))).float()
    found = recovery(truth.directions, (truth.directions * lengths)[order], fires, fires[:, order])
    assert found.mcc == pytest.approx(1)
    assert (order[found.latent].numpy() == np.arange(12)).all()
    there = found.n_rows > 0
    assert (found.f1[there] == 1).all() and (found.f1[~there] == 0).all()


def test_a_cause_without_a_latent_scores_nothing():
    directions = torch.eye(3)
    fires = torch.ones(4, 3).bool()
    found = recovery(directions, directions[:2], fires, fires[:, :2])
    assert sorted(found.latent.tolist()) == [-1, 0, 1]
    assert found.mcc == pytest.approx(2 / 3)
    assert found.f1[found.latent == -1].tolist() == [0]


def test_other_widths_are_refused():
    with pytest.raises(SondeError, match="width 3 in 4 rows are compared with latents of width 2"):
        recovery(torch.eye(3), torch.eye(2), torch.ones(4, 3).bool(), torch.ones(4, 2).bool())
