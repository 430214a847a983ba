"""Metrics from sums by unit: by hand, batch by batch, blind to units and origin, with intervals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats, integers, lists

from sonde.activations.row_batches import RowBatch
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.dictionary import Reconstruction
from sonde.dictionaries.initialise import initialise
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.metrics import metrics_of_batch
from sonde.dictionaries.metrics_quality import quality, quality_of
from sonde.dictionaries.metrics_sums import ReconstructionSums

HERE, NEXT = "blocks.0.resid_post", "blocks.1.resid_post"


def made_of(latents, *prefixes):
    """A reconstruction of one target."""
    stacked = torch.stack(prefixes)
    return Reconstruction((Latents(latents),), (stacked[-1],), (stacked,))


def planted(n=60, d=5, seed=0, scale=1.0, shift=0.0):
    torch.manual_seed(seed)
    y = torch.randn(n, d, dtype=torch.float64)
    made = 0.8 * y + 0.4 * torch.randn(n, d, dtype=torch.float64)
    return scale * y + shift, scale * made + shift


def measured(y, made, unit=None, cuts=()):
    """Add all rows, in pieces that end at the cuts."""
    sums = ReconstructionSums([y.shape[1]], 1, 3)
    latents = (y[:, :3] > 0.3).to(y)
    unit = np.arange(len(y)) // 7 if unit is None else unit
    for piece in np.split(np.arange(len(y)), sorted(cuts)):
        here = torch.from_numpy(piece)
        sums.add(made_of(latents[here], made[here]), [y[here]], unit[piece])
    return quality_of(sums, [HERE])


def test_by_hand():
    """Documents 0 and 4: rows (3, 4), (3, 0), and (0, 0), (6, 0), which have the mean (3, 1)."""
    y = torch.tensor([[3.0, 4.0], [3.0, 0.0], [0.0, 0.0], [6.0, 0.0]])
    half = torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    made = torch.tensor([[3.0, 2.0], [3.0, 0.0], [0.0, 0.0], [6.0, 1.0]])
    latents = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    sums = ReconstructionSums([2], 2, 3)
    sums.add(made_of(latents, half, made), [y], np.array([0, 0, 4, 4]))
    found = quality_of(sums, [HERE])
    total = (9 + 1) + (1 + 9 + 1 + 9)  # |y - (3, 1)|^2: 9, 1; 10, 10
    assert found.by_target[HERE]["fvu"].truth.tolist() == [10, 20]
    assert found.by_target[HERE]["fvu"].unit.tolist() == ["0", "4"]
    assert found.value("fvu") == pytest.approx((4 + 1) / total)
    assert found.value("variance_explained") == pytest.approx(1 - 5 / 30)
    assert found.value("fvu_prefix_1") == pytest.approx((16 + 9 + 36) / total)
    assert found.value("fvu_prefix_2") == found.value("fvu")
    assert found.value("norm_ratio") == pytest.approx((13**0.5 + 3 + 37**0.5) / (5 + 3 + 6))
    assert found.value("reconstruction_bias") == pytest.approx((13 + 9 + 37) / (17 + 9 + 36))
    cosines = 17 / (5 * 13**0.5) + 1 + 0 + 6 / 37**0.5
    assert found.value("cosine") == pytest.approx(cosines / 4)
    assert found.value("l0") == pytest.approx((2 + 1 + 0 + 1) / 4)
    assert found.value("l1") == pytest.approx(6.5 / 4)
    assert (found.n_rows, found.fired.tolist()) == (4, [1, 0, 3])
    assert (found.dead.tolist(), found.dense.tolist()) == ([1], [0, 2])


@given(cuts=lists(integers(0, 60), max_size=5))
def test_batches_do_not_matter(cuts):
    y, made = planted(scale=10.0, shift=300.0)
    whole, parted = measured(y, made), measured(y, made, cuts=cuts)
    assert parted.fired.tolist() == whole.fired.tolist()
    for name in whole.names:
        assert parted.value(name) == pytest.approx(whole.value(name), rel=1e-9)
        parts = zip(parted.parts(name), whole.parts(name), strict=True)
        for one, other in parts:
            assert one.truth == pytest.approx(other.truth, rel=1e-9)


@given(scale=floats(1e-3, 1e3), shift=floats(-1e3, 1e3))
def test_variance_explained_is_blind_to_units_and_origin(scale, shift):
    """An origin of a million standard deviations leaves ten of sixteen digits."""
    plain, moved = measured(*planted()), measured(*planted(scale=scale, shift=shift))
    for name in ("fvu", "variance_explained"):
        assert moved.value(name) == pytest.approx(plain.value(name), rel=1e-5)


@given(scale=floats(1e-6, 1e6))
def test_ratios_are_blind_to_units(scale):
    plain, scaled = measured(*planted()), measured(*planted(scale=scale))
    for name in ("norm_ratio", "reconstruction_bias", "cosine"):
        assert scaled.value(name) == pytest.approx(plain.value(name))


def test_rows_of_one_document_widen_the_interval():
    y, made = planted(400)
    offset = torch.randn(20, 1, dtype=torch.float64).repeat_interleave(20, dim=0)
    alike = measured(y, made + offset, np.arange(400) // 20).interval("fvu")
    alone = measured(y, made + offset, np.arange(400)).interval("fvu")
    assert alike.value == pytest.approx(alone.value)
    assert (alike.n, alone.n) == (20, 400)
    assert alike.high - alike.low > 1.5 * (alone.high - alone.low)


def crosscoder():
    architecture = Architecture(
        sources=(HERE, NEXT), d_in=(4, 6), d_sae=12, sparsity=TopK(k=3), groups=(4, 8)
    )
    return initialise(Dictionary(architecture), seed=0)


def test_a_dictionary_on_batches_is_what_training_logs():
    """Of one batch, all targets and prefixes; and without units every row is one."""
    dictionary = crosscoder()
    x = {parse_hook_point(HERE): torch.randn(50, 4), parse_hook_point(NEXT): torch.randn(50, 6)}
    found = quality(dictionary, [RowBatch(x, torch.arange(50))])
    logged = metrics_of_batch(dictionary(*x.values()), list(x.values()), (HERE, NEXT))
    for name in found.names:
        assert found.value(name) == pytest.approx(logged[name], rel=1e-4)
    assert found.by_target[NEXT]["fvu"].value == pytest.approx(logged[f"fvu/{NEXT}"], rel=1e-4)
    assert found.interval("fvu").value == pytest.approx(found.value("fvu"))
    assert found.interval("l0").n == 50
    assert len(found.fired) == 12


def test_what_cannot_be_measured_is_refused():
    dictionary = crosscoder()
    x = {parse_hook_point(HERE): torch.randn(5, 4)}
    with pytest.raises(SondeError, match=r"blocks\.1\.resid_post, of which there are no rows"):
        quality(dictionary, [RowBatch(x, torch.arange(5))])
    with pytest.raises(SondeError, match="no rows to measure"):
        quality(dictionary, [])
    x[parse_hook_point(NEXT)] = torch.full((5, 6), torch.nan)
    with pytest.raises(SondeError, match="NaN or Inf"):
        quality(dictionary, [RowBatch(x, torch.arange(5))])
    y, made = planted()
    with pytest.raises(SondeError, match="'fuv' is no metric"):
        measured(y, made).value("fuv")
