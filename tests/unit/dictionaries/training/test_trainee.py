"""A dictionary as it is trained, in units of raw rows."""

import pytest
import torch

from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.training import Training
from sonde.dictionaries.training.start import Start
from sonde.dictionaries.training.trainee import Trainee

READ, WRITTEN = (parse_hook_point(f"blocks.0.{site}") for site in ("resid_mid", "mlp_out"))


@pytest.mark.parametrize(
    "sparsity",
    [
        TopK(k=3), TopK(k=3, by_norm=True), BatchTopK(k=3, by_norm=True), ReLU(), Gated(),
        JumpReLU(threshold=0.05),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("transcodes", [False, True])
def test_activations_of_a_step_are_those_of_the_dictionary_that_is_saved(sparsity, transcodes):
    torch.manual_seed(0)
    raw = {READ: 30 * torch.randn(64, 4), WRITTEN: 0.2 * torch.randn(64, 5)}
    made = Architecture(
        sources=(str(READ),), targets=(str(WRITTEN),) if transcodes else (), d_in=(4,),
        d_out=(5,) if transcodes else (), d_sae=8, sparsity=sparsity,
    )  # fmt: skip
    start = Start({READ: 1 / 30, WRITTEN: 5.0}, {READ: 4.0, WRITTEN: 5.0},
                  {READ: torch.zeros(4), WRITTEN: torch.zeros(5)})  # fmt: skip
    one = Trainee.fresh(made, Training(decoder_norm="free", lr=0.01), start, 9)
    rows = one.rows_of(start.scaled(raw))
    for number in range(3):
        one.step(*rows, number)
    latents = one.dictionary.eval().encode(rows[0])
    ours = one.in_raw_units(latents)[0].dense()
    assert torch.allclose(ours, one.whole().encode([raw[READ]])[0].dense(), rtol=1e-4, atol=1e-4)
    assert bool(ours.any())


@pytest.mark.parametrize("clip", [0.01, 1e9])
def test_clipping_counts_the_squared_error_of_scaled_rows(clip):
    """The loss is that beside the variance, 8; so are its slopes, and so is their limit."""
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    made = Architecture(sources=(str(READ),), d_in=(4,), d_sae=8, sparsity=TopK(k=3))
    start = Start({READ: 1.0}, {READ: 8.0}, {READ: torch.ones(4)})
    one = Trainee.fresh(made, Training(clip=clip), start, 9)
    one.step([x], [x], 0)
    slopes = [weight.grad for weight in one.dictionary.parameters() if weight.grad is not None]
    norm = torch.cat([slope.flatten() for slope in slopes]).norm().item()
    assert norm == pytest.approx(0.01 / 8, rel=1e-4) if clip < 1 else 0.01 < norm < 1e9
