"""Learning rates, k and penalties by step, against hand-worked values and bounds."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sonde.core.errors import SondeError
from sonde.dictionaries.training.schedules import (
    check_schedules,
    k_at,
    learning_rate,
    penalty_at,
)
from sonde.dictionaries.training.settings import Adam, Muon, Resampling, Training


def test_a_warmup_and_a_cosine_as_in_the_log():
    """200 steps up to 3e-4, then down by a cosine to 3e-6 at step 4,883."""
    recipe = Training(lr=3e-4, warmup=200, decay="cosine", lr_end=0.01)
    assert learning_rate(recipe, 0, 4883) == pytest.approx(3e-4 / 200)
    assert learning_rate(recipe, 199, 4883) == pytest.approx(3e-4)
    assert learning_rate(recipe, 200, 4883) == pytest.approx(3e-4)
    assert learning_rate(recipe, 200 + 2342, 4884) == pytest.approx((3e-4 + 3e-6) / 2)
    assert learning_rate(recipe, 4883, 4883) == pytest.approx(3e-6)


def test_a_linear_decay_begins_where_its_steps_do():
    recipe = Training(lr=1.0, decay="linear", decay_steps=10)
    assert [learning_rate(recipe, step, 100) for step in (0, 90, 95, 100)] == [1, 1, 0.5, 0]
    flat = Training(lr=1.0, decay="none")
    assert {learning_rate(flat, step, 100) for step in range(100)} == {1.0}


@given(
    st.integers(0, 20), st.sampled_from(["none", "linear", "cosine"]), st.floats(0, 1),
    st.integers(21, 200),
)  # fmt: skip
def test_rates_rise_then_fall_within_their_bounds(warmup, decay, end, steps):
    recipe = Training(lr=0.5, warmup=warmup, decay=decay, lr_end=end)
    rates = [learning_rate(recipe, step, steps) for step in range(steps)]
    assert all(a <= b for a, b in itertools.pairwise(rates[:warmup]))
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(rates[warmup:]))
    assert max(rates) <= 0.5 and min(rates[warmup:]) >= 0.5 * end - 1e-12


def test_k_moves_evenly_to_its_own_value():
    recipe = Training(k_start=100, k_steps=10)
    assert [k_at(recipe, 20, step) for step in (0, 5, 10, 99)] == [100, 60, 20, 20]
    assert k_at(Training(), 20, 0) == 20


def test_a_penalty_rises_from_nothing():
    recipe = Training(penalty_warmup=4)
    assert [penalty_at(recipe, 2.0, step) for step in (0, 1, 4, 9)] == [0.0, 0.5, 2.0, 2.0]


def test_schedules_longer_than_the_training_are_refused():
    with pytest.raises(SondeError, match="100 steps do not hold a warm-up of 60 and a decay of 50"):
        check_schedules(Training(warmup=60, decay_steps=50), 100)
    check_schedules(Training(warmup=50, decay_steps=50), 100)
    with pytest.raises(ValidationError, match="without a decay"):
        Training(decay="none", decay_steps=3)


def test_a_k_or_a_penalty_that_still_moves_at_the_end_is_refused():
    """Else a dictionary would be used with a k, or be held to a penalty, that it never had."""
    with pytest.raises(SondeError, match=r"k_steps is 1,000, and training ends after 100 steps"):
        check_schedules(Training(k_start=64), 100)
    check_schedules(Training(k_start=64, k_steps=100), 100)
    check_schedules(Training(), 100)  # k does not move
    with pytest.raises(SondeError, match=r"penalty_warmup is 101.*Set penalty_warmup: 10"):
        check_schedules(Training(penalty_warmup=101), 100)


@pytest.mark.parametrize("optimiser", [Adam(), Muon()])
def test_an_average_of_the_past_alone_is_refused(optimiser):
    with pytest.raises(ValidationError, match="less than 1"):
        Training(optimiser={**optimiser.model_dump(), "betas": (1.0, 0.999)})


def test_moments_in_eight_bits_cannot_be_forgotten_one_by_one():
    with pytest.raises(ValidationError, match="forgets moments of single latents"):
        Training(optimiser=Adam(eight_bit=True), resampling=Resampling())
