"""Numbers drawn by hashing: the same for the same seed, token and latent, whatever came before."""

import torch
from jaxtyping import Int
from torch import Tensor

# The constants of splitmix64 (Steele, Lea and Flood 2014), as signed numbers.
_GOLDEN, _FIRST, _SECOND = (
    number - (1 << 64) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def draws(seed: int, token: Int[Tensor, "*at"], latent: Int[Tensor, "*at"]) -> Int[Tensor, "*at"]:
    """Return uniform numbers in [0, 2^31): those with the largest are a sample without order.

    A place that keeps the largest numbers of all that it was offered keeps a uniform sample of
    them (bottom-k sampling, Cohen and Kaplan 2007).
    """
    start = _mixed(torch.as_tensor(seed, dtype=torch.int64, device=token.device))
    return (_mixed(_mixed(start ^ token) ^ latent) & 0x7FFFFFFF).to(torch.int32)


def _mixed(number: Tensor) -> Tensor:
    """Return the finaliser of splitmix64; products of 64 bits wrap around."""
    number = number + _GOLDEN
    number = (number ^ _shifted(number, 30)) * _FIRST
    number = (number ^ _shifted(number, 27)) * _SECOND
    return number ^ _shifted(number, 31)


def _shifted(number: Tensor, by: int) -> Tensor:
    """Shift right, filling with zeros; torch fills with the sign."""
    return (number >> by) & ((1 << (64 - by)) - 1)
