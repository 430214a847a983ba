"""Units of a coefficient, and what overflows."""

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats
from tests.unit.vectors.made_vectors import made

from sonde.core.errors import SondeError
from sonde.steering.units import check_coefficient, in_units, largest_coefficient


@given(coefficient=floats(-1e3, 1e3), norm=floats(1e-3, 1e5))
def test_units_and_raw_are_each_other(coefficient, norm):
    vector = made(typical_norm=norm)
    assert in_units(vector, vector.raw_coefficient(coefficient)) == pytest.approx(coefficient)


def test_what_overflows_by_hand():
    # The largest coordinate of (0.6, 0, 0.8) is 0.8 and the typical norm 10: float16 holds 65,504,
    # half of it is for what is there already.
    vector = made()
    assert largest_coefficient(vector, torch.float16) == pytest.approx(65504 / 0.8 / 2 / 10)
    check_coefficient(vector, -4000.0, torch.float16)
    with pytest.raises(SondeError, match=r"5000 .* overflows: it is 5e\+04 .* float16 holds 4094 "):
        check_coefficient(vector, 5000.0, torch.float16)
    with pytest.raises(SondeError, match=r"of nan .* is not a number"):
        check_coefficient(vector, float("nan"), torch.float32)
    with pytest.raises(SondeError, match="has no typical norm"):
        check_coefficient(made(typical_norm=None), 1.0, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_square_of_the_largest_fits_float32(dtype):
    """Beyond it a norm layer divides by infinity: every activation becomes 0, silently."""
    vector = made()
    largest = largest_coefficient(vector, dtype)
    allowed = vector.raw(largest).to(dtype).float()
    assert torch.isfinite(allowed.square().sum())
    assert not torch.isfinite((4 * allowed).square().sum())
    normed = torch.nn.functional.rms_norm(4 * allowed, (3,))
    assert float(normed.abs().max()) == 0.0  # what is refused
