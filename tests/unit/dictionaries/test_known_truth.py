"""Made activations: their causes fire as often, and as they depend on each other, as was asked."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sonde.core.errors import SondeError
from sonde.dictionaries.known_truth import KnownTruth, TruthSettings

ROWS = 20_000


def truth(**changes):
    return KnownTruth(TruthSettings(**{"n_causes": 40, "d": 24, "active": 4.0, **changes}))


def test_causes_fire_as_often_as_asked():
    found = truth(zipf=1.0, correlation=0.4)
    fires = (found.draw(ROWS, 0).strength > 0).numpy()
    assert found.chance.sum() == pytest.approx(4)
    assert found.chance[0] / found.chance[9] == pytest.approx(10)
    error = np.sqrt(found.chance * (1 - found.chance) / ROWS)
    assert (np.abs(fires.mean(axis=0) - found.chance) < 5 * error).all()


def test_rows_are_causes_and_noise():
    quiet = truth(noise=0.0).draw(50, 0)
    torch.testing.assert_close(quiet.x, quiet.strength @ truth().directions)
    loud = truth(noise=0.5).draw(ROWS, 0)
    rest = loud.x - loud.strength @ truth().directions
    assert float(rest.norm(dim=1).square().mean()) == pytest.approx(0.25, rel=0.02)
    assert float(quiet.strength[quiet.strength > 0].min()) >= 1


def test_causes_of_a_group_fire_together():
    found = truth(zipf=0.0, groups=20, correlation=0.8)
    fires = (found.draw(ROWS, 1).strength > 0).numpy().astype(float)
    together = np.corrcoef(fires.T)
    same = [together[n, n + 20] for n in range(20)]
    others = [together[n, n + 1] for n in range(19)]
    assert min(same) > 0.35
    assert np.abs(others).max() < 0.05


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_children_fire_only_with_their_parents_and_as_often_as_asked(correlation):
    found = truth(hierarchy=True, zipf=0.5, groups=2, correlation=correlation)
    fires = (found.draw(ROWS, 2).strength > 0).numpy()
    children = np.flatnonzero(found.parent >= 0)
    assert len(children) == 20
    assert not (fires[:, children] & ~fires[:, found.parent[children]]).any()
    error = np.sqrt(found.chance * (1 - found.chance) / ROWS)
    off = np.abs(fires.mean(axis=0) - found.chance)
    assert (off < 5 * error).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_seed_gives_the_same_rows(seed):
    one, other = (truth().draw(20, seed) for _ in range(2))
    assert torch.equal(one.x, other.x)
    assert not torch.equal(one.x, truth().draw(20, seed + 1).x)
    torch.testing.assert_close(truth().directions.norm(dim=1), torch.ones(40))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValidationError, match="`active`, 40, is to lie below"):
        truth(active=40.0)
    with pytest.raises(ValidationError, match="50 groups cannot part 40 causes"):
        truth(groups=50)
    with pytest.raises(SondeError, match=r"probabilities from 0\.0015 to 2\.5"):
        _ = truth(zipf=2.0).chance
