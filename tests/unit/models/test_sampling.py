"""Choosing tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from transformers import TopPLogitsWarper

from sonde.models.sampling import next_tokens, row_uniforms

PROBABILITIES = torch.tensor([0.1, 0.6, 0.3])


def drawn(uniforms: list[float], temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
    logits = PROBABILITIES.log().repeat(len(uniforms), 1)
    return next_tokens(logits, torch.tensor(uniforms).double(), temperature, top_p).tolist()


def test_sampling_by_hand() -> None:
    """Likeliest first: token 1 has [0, .6), token 2 [.6, .9), token 0 [.9, 1)."""
    assert drawn([0.0, 0.59, 0.61, 0.89, 0.91, 0.999]) == [1, 1, 2, 2, 0, 0]
    assert drawn([0.0, 0.999], temperature=0.0) == [1, 1]


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    assert drawn([0.65, 0.999], top_p=0.6) == [1, 1]
    # .6 + .3 reach .7; rescaled, token 1 has [0, .667) and token 2 the rest.
    assert drawn([0.65, 0.68, 0.999], top_p=0.7) == [1, 2, 2]
    assert drawn([0.999], top_p=1e-6) == [1]


@given(seed=st.integers(0, 1000), top_p=st.floats(0.05, 0.999), temperature=st.floats(0.2, 3))
def test_what_may_be_drawn_is_what_transformers_keeps(
    seed: int, top_p: float, temperature: float
) -> None:
    logits = 2 * torch.randn(1, 12, generator=torch.Generator().manual_seed(seed))
    grid = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1]
    ours = set(next_tokens(logits.expand(4000, -1), grid, temperature, top_p).tolist())
    kept = TopPLogitsWarper(top_p)(None, logits.double() / temperature)  # pyright: ignore
    weights = kept.softmax(-1)[0]
    theirs = set(torch.nonzero(weights > 1e-3).flatten().tolist())
    assert theirs <= ours <= set(torch.nonzero(weights > 0).flatten().tolist())


def test_frequencies_are_the_probabilities() -> None:
    uniforms = row_uniforms(0, range(20_000), 1)[:, 0]
    logits = PROBABILITIES.log().expand(len(uniforms), -1)
    counts = torch.bincount(next_tokens(logits, uniforms, 1.0, 1.0), minlength=3)
    assert_close(counts / len(uniforms), PROBABILITIES, atol=0.01, rtol=0)


@pytest.mark.parametrize("rows", [[0, 1, 2], [2], [2, 0]])
def test_a_rows_numbers_depend_on_the_row_alone(rows: list[int]) -> None:
    def numbers(rows: list[int], n_steps: int) -> Tensor:
        return row_uniforms(7, rows, n_steps)

    every = numbers([0, 1, 2], 5)
    assert torch.equal(numbers(rows, 5), every[rows])
    assert torch.equal(numbers(rows, 3), every[rows, :3])
    assert not torch.equal(row_uniforms(8, rows, 5), every[rows])
