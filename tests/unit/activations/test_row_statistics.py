"""Statistics of rows, against numpy on all of them at once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.activations import TensorRows, statistics_of
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point

HOOK, OTHER = map(parse_hook_point, ("blocks.0.resid_post", "blocks.1.mlp_out"))


def test_a_case_by_hand():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 2.0], [1.0, 2.0]])
    found = statistics_of(TensorRows({HOOK: x}, batch=2))[HOOK]
    assert found.n_rows == 4
    assert found.mean.tolist() == [1, 2]
    assert found.mean_norm == pytest.approx((5 + 0 + 2 + 5**0.5) / 4)
    assert found.median_norm == pytest.approx((2 + 5**0.5) / 2)
    assert found.mean_squared_norm == pytest.approx((25 + 0 + 4 + 5) / 4)
    assert found.total_variance == pytest.approx((4 + 4 + 1 + 4 + 1 + 0 + 0 + 0) / 4)
    assert found.sink_norm(3.0) == 3 * found.median_norm


@given(
    rows=st.integers(4, 40),
    batch=st.integers(1, 4),
    offset=st.sampled_from([0.0, 1e4]),
    seed=st.integers(0, 9),
)
def test_they_are_numpys(rows, batch, offset, seed):
    x = np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32) + np.float32(offset)
    tensors = {HOOK: torch.from_numpy(x), OTHER: torch.from_numpy(-2 * x)}
    n_batches = rows // batch
    source = TensorRows(tensors, batch=batch)
    found = statistics_of(source, n_batches)
    order = torch.cat([one.token for one in source.batches()]).numpy()
    for hook, values in ((HOOK, x[order]), (OTHER, -2 * x[order])):
        exact, norms = values.astype(np.float64), np.linalg.norm(values.astype(np.float64), axis=1)
        assert np.allclose(found[hook].mean.numpy(), exact.mean(0), rtol=1e-6)
        assert found[hook].mean_norm == pytest.approx(norms.mean(), rel=1e-6)
        assert found[hook].median_norm == pytest.approx(np.median(norms), rel=1e-6)
        assert found[hook].mean_squared_norm == pytest.approx((norms**2).mean(), rel=1e-6)
        assert found[hook].total_variance == pytest.approx(exact.var(0).sum(), rel=1e-9)


def test_only_the_first_batches_are_read_and_none_is_refused():
    source = TensorRows({HOOK: torch.randn(10, 2)}, batch=2)
    assert statistics_of(source, 3)[HOOK].n_rows == 6
    with pytest.raises(SondeError, match="0 batches were to be measured"):
        statistics_of(source, 0)
