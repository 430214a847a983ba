"""Directions by the probes' own solvers, where rows outnumber coordinates."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.problem import Problem
from sonde.probes.solver import Solver
from sonde.vectors.rows import Rows


def by_probe(
    rows: Rows, prepare: Callable[[Problem], Solver], penalty: float = 0.0
) -> Float64[Tensor, "fit layer d_model"]:
    """Return the weights on raw coordinates of linear probes of each fit's training rows."""
    found: list[Tensor] = []
    for train in rows.train:
        problem = Problem.plain(rows.x[:, train].double(), rows.y[train])
        readers: Any = prepare(problem).final(torch.full((len(rows.x),), penalty).double())
        found.append(torch.stack([reader.weight[0] for reader in readers]))
    return torch.stack(found)
