"""Steps of optimisers, decoder rows of length 1, clipping, moments that are kept and forgotten."""

import copy
import ctypes

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.initialise import initialise
from sonde.dictionaries.training.optimisers import (
    clip_gradients,
    forget_rows,
    load_state,
    make_unit,
    optimisers_of,
    set_learning_rate,
    state_of,
    take_out_lengthening,
)
from sonde.dictionaries.training.settings import Adam, Muon


def fresh(seed=0):
    made = Architecture(sources=("blocks.0.resid_post",), d_in=(6,), d_sae=10, sparsity=TopK(k=3))
    return initialise(Dictionary(made), seed)


def give_slopes(one, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in one.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_a_slope_without_lengthening_is_at_right_angles_and_rows_stay_of_length_1(seed):
    one = fresh(seed)
    give_slopes(one, seed)
    take_out_lengthening(one)
    block = one.parts[0]
    assert torch.linalg.vecdot(block.decoder.grad, block.decoder).abs().max() < 1e-5
    with torch.no_grad():
        block.decoder.mul_(3.7)
    make_unit(one)
    assert torch.allclose(block.decoder.norm(dim=1), torch.ones(10))


def test_one_slope_by_hand():
    one = fresh()
    block = one.parts[0]
    with torch.no_grad():
        block.decoder[0] = torch.tensor([0.6, 0.8, 0, 0, 0, 0])
    block.decoder.grad = torch.zeros_like(block.decoder)
    block.decoder.grad[0, :2] = torch.tensor([1.0, 2.0])
    take_out_lengthening(one)  # along the row is 0.6 + 1.6 = 2.2
    assert block.decoder.grad[0, :2].tolist() == pytest.approx([1 - 1.32, 2 - 1.76])


def test_clipping_bounds_the_norm_of_all_slopes_together():
    one = fresh()
    give_slopes(one, 1)
    norm = torch.cat([p.grad.flatten() for p in one.parameters()]).norm()
    before = [p.grad.clone() for p in one.parameters()]
    assert clip_gradients(one.parameters(), 1e6) == pytest.approx(norm.item())
    assert all(torch.equal(p.grad, b) for p, b in zip(one.parameters(), before, strict=True))
    clip_gradients(one.parameters(), 0.5)
    assert torch.cat([p.grad.flatten() for p in one.parameters()]).norm() == pytest.approx(0.5)


@pytest.mark.parametrize("kind", [Adam(), Muon()], ids=["adam", "muon"])
def test_a_stored_state_goes_on_as_if_it_had_stayed(kind):
    one = fresh()
    optimisers = optimisers_of(one, kind)
    for seed in range(3):
        give_slopes(one, seed)
        set_learning_rate(optimisers, 0.01)
        for optimiser in optimisers:
            optimiser.step()
    other = copy.deepcopy(one)
    again = optimisers_of(other, kind)
    load_state(again, {name: value.clone() for name, value in state_of(optimisers).items()})
    for dictionary, own in ((one, optimisers), (other, again)):
        give_slopes(dictionary, 9)
        set_learning_rate(own, 0.02)
        for optimiser in own:
            optimiser.step()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


class InEightBits(torch.optim.Optimizer):
    """Momentum in 8 bits, its state as in bitsandbytes: an int, codes, their map, their scale.

    ``state_dict`` wraps what is quantised, as that of 0.50 does, and ``step`` wants a plain int.
    """

    MAP = torch.linspace(-1, 1, 256)

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.0})

    def state_dict(self):
        found = super().state_dict()
        wrapped = {
            index: {"step": one["step"], "wrapped": {k: v for k, v in one.items() if k != "step"}}
            for index, one in found["state"].items()
        }
        return {**found, "state": wrapped}

    @torch.no_grad()
    def step(self):
        (group,) = self.param_groups
        for one in group["params"]:
            state = self.state[one]
            if not state:
                codes = torch.full_like(one, 128, dtype=torch.uint8)
                state |= {"step": 0, "codes": codes, "map": self.MAP, "scale": torch.zeros(1)}
            state["step"] += 1
            past = state["map"][state["codes"].long()] * state["scale"]
            momentum = 0.9 * past + one.grad
            state["scale"] = momentum.abs().max()[None]
            found = torch.bucketize(momentum / state["scale"], state["map"])
            state["codes"] = found.clamp(max=255).to(torch.uint8)
            one.sub_(group["lr"] * momentum / ctypes.c_int32(state["step"]).value)


def test_a_state_in_eight_bits_goes_on_with_ints_codes_and_scales():
    one = fresh()
    optimiser = InEightBits(one.parameters())
    for seed in range(3):
        give_slopes(one, seed)
        set_learning_rate([optimiser], 0.01)
        optimiser.step()
    stored = {name: value.clone() for name, value in state_of([optimiser]).items()}
    other = copy.deepcopy(one)
    again = InEightBits(other.parameters())
    load_state([again], stored)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        there, here = optimiser.state[a], again.state[b]
        assert there.keys() == here.keys() and type(here["step"]) is int and here["step"] == 3
        for name in ("codes", "map", "scale"):
            assert here[name].dtype == there[name].dtype and torch.equal(here[name], there[name])
    for dictionary, own in ((one, optimiser), (other, again)):
        give_slopes(dictionary, 9)
        set_learning_rate([own], 0.02)
        own.step()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_parameter_without_a_state_has_none_after_loading():
    one, other = fresh(), fresh()
    optimisers, again = (optimisers_of(dictionary, Adam()) for dictionary in (one, other))
    one.parts[0].encoder.grad = torch.ones_like(one.parts[0].encoder)
    give_slopes(other, 0)
    for optimiser in (*optimisers, *again):
        optimiser.step()
    load_state(again, state_of(optimisers))
    assert list(again[0].state) == [other.parts[0].encoder]


def test_adam_takes_the_steps_of_its_formula():
    one = fresh()
    optimisers = optimisers_of(one, Adam(betas=(0.9, 0.99), eps=1e-6))
    set_learning_rate(optimisers, 0.1)
    weight = one.parts[0].encoder.detach().double().clone()
    m, v = torch.zeros_like(weight), torch.zeros_like(weight)
    for step in range(1, 4):
        give_slopes(one, step)
        g = one.parts[0].encoder.grad.double()
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        weight -= 0.1 * (m / (1 - 0.9**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-6)
        optimisers[0].step()
    assert torch.allclose(one.parts[0].encoder.double(), weight, atol=1e-5)


def test_muon_moves_a_matrix_by_an_orthogonal_one():
    one = fresh()
    optimisers = optimisers_of(one, Muon())
    set_learning_rate(optimisers, 1.0)
    before = one.parts[0].encoder.detach().clone()
    give_slopes(one, 0)
    optimisers[0].step()
    moved = torch.linalg.svdvals(one.parts[0].encoder.detach() - before)
    # Five Newton-Schulz steps bring singular values into about [0.7, 1.2] of one another.
    assert moved.max() / moved.min() < 2.5


def test_forgotten_rows_lose_their_moments_and_others_keep_theirs():
    one = fresh()
    optimisers = optimisers_of(one, Adam())
    give_slopes(one, 0)
    set_learning_rate(optimisers, 0.1)
    optimisers[0].step()
    forget_rows(optimisers, one, [torch.tensor([2, 5])])
    moments = optimisers[0].state[one.parts[0].encoder]["exp_avg"]
    assert not moments[[2, 5]].any() and bool(moments[[0, 1, 3, 4]].all())
