"""The first principal axis of standardised or centred rows, pooled or within two classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.fold_moments import GramFit
from sonde.probes.row_side import KernelFit
from sonde.probes.two_classes import TwoClasses

SMALL = 64  # below, all axes cost less than looking for the first
Product = Callable[[Any], Any]


def principal_axis(fit: GramFit | KernelFit) -> Float64[Tensor, " d_model"]:
    """Return the unit vector along which the rows of a fit vary most; its sign means nothing."""
    if isinstance(fit, KernelFit):
        kernel = fit.scatter()
        return _unit(fit.back(_leading(len(kernel), lambda v: kernel @ v)[None])[0])
    square = fit.scatter()
    return _unit(_leading(len(square), lambda v: square @ v))


def axes_within_classes(fit: GramFit | KernelFit) -> Float64[Tensor, "column d_model"]:
    """Return the axis along which rows less their class's mean vary most, for each repetition.

    The scatter within the classes is z'z - n q diff diff'; of the kernel it is what is left
    without the direction of the centred labels.
    """
    whole = fit.scatter()
    found: list[Tensor] = []
    if isinstance(fit, KernelFit):
        for y in fit.y:
            label = _unit(y)

            def projected(v: Tensor, label: Tensor = label) -> Tensor:
                return v - label * (label @ v)

            dual = _leading(len(whole), lambda v, p=projected: p(whole @ p(v)))
            found.append(_unit(fit.back(projected(dual)[None])[0]))
        return torch.stack(found)
    classes = TwoClasses.of_fit(fit)
    for height, apart in zip(fit.n * classes.between, classes.difference, strict=True):
        found.append(
            _unit(
                _leading(
                    len(whole),
                    lambda v, apart=apart, height=height: whole @ v - height * apart * (apart @ v),
                )
            )
        )
    return torch.stack(found)


def _leading(side: int, product: Product) -> Float64[Tensor, " side"]:
    """Return the eigenvector of the largest eigenvalue, to rounding."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def dense() -> Tensor:
        eye = torch.eye(side, dtype=torch.float64)
        return torch.linalg.eigh(torch.stack([product(v) for v in eye]))[1][:, -1]

    if side < SMALL:
        return dense()

    def matvec(vector: np.ndarray) -> np.ndarray:
        return product(torch.from_numpy(vector.reshape(-1))).numpy()

    make: Any = LinearOperator
    operator = make((side, side), matvec=matvec, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=side)  # the same axis at each run
    try:
        _, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=0)
    except ArpackNoConvergence:
        return dense()
    return torch.from_numpy(vectors[:, 0].copy())


def _unit(vector: Float64[Tensor, " side"]) -> Float64[Tensor, " side"]:
    length = vector.norm()
    return vector / length if length > 0 else vector
