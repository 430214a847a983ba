"""The kernel zz' of some rows, with its leading axes for preconditioning."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LEADING = 256  # axes of a large kernel
WHOLE = 512  # a kernel of a rank up to this is taken apart entirely


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """K = zz', formed where rows are not many more than coordinates.

    ``axes`` are orthonormal, nearly eigenvectors of K, with ``spectrum`` their eigenvalues;
    ``beyond`` stands for the eigenvalues elsewhere, 0 where there are none: what lies outside the
    axes then has no part in K and is left out. Products take the precision of ``z``.
    """

    z: Float[Tensor, "row d_model"]
    formed: Float[Tensor, "row row"] | None
    axes: Float[Tensor, "axis row"]
    spectrum: Float[Tensor, " axis"]
    beyond: float

    @classmethod
    def of(cls, z: Float[Tensor, "row d_model"]) -> "Kernel":
        """Form the kernel and find its axes: all of them if it is small."""
        formed = z @ z.mT if len(z) <= 2 * z.shape[1] else None
        if min(z.shape) > WHOLE:
            return cls(z, formed, *_leading(z, formed))
        if formed is not None:
            spectrum, axes = torch.linalg.eigh(formed)
        else:
            spectrum, right = torch.linalg.eigh(z.mT @ z)
            axes = z @ right / spectrum.clamp(min=1e-300).sqrt()
        present = spectrum > spectrum[-1] * len(z) * torch.finfo(z.dtype).eps
        return cls(z, formed, axes.mT[present].contiguous(), spectrum[present], 0.0)

    def times(self, alpha: Float[Tensor, "column row"]) -> Float[Tensor, "column row"]:
        """Return K times each column."""
        given = alpha.to(self.z)
        done = (given @ self.z) @ self.z.mT if self.formed is None else given @ self.formed
        return done.to(alpha)

    def nearly_solved(
        self,
        right: Float[Tensor, "column row"],
        c: Float[Tensor, "column 1"],
        penalty: Float[Tensor, "column 1"],
    ) -> Float[Tensor, "column row"]:
        """Solve (c K + penalty I) x = right in the axes, with one value beyond them."""
        outside = 1 / (c * self.beyond + penalty) if self.beyond else torch.zeros_like(penalty)
        inside = 1 / (c * self.spectrum.to(c) + penalty) - outside
        along = (right.to(self.axes) @ self.axes.mT).to(right) * inside
        return outside * right + (along.to(self.axes) @ self.axes).to(right)


def _leading(
    z: Float[Tensor, "row d_model"], formed: Float[Tensor, "row row"] | None
) -> tuple[Float[Tensor, "axis row"], Float[Tensor, " axis"], float]:
    """Find leading axes by subspace iteration (Halko, Martinsson and Tropp 2011).

    The last eigenvalue stands for those beyond, so that axes near it, which are the least exact,
    are hardly told from the rest.
    """
    drawn = torch.Generator().manual_seed(0)
    basis = torch.randn(len(z), LEADING, dtype=z.dtype, generator=drawn).to(z.device)
    for _ in range(3):
        image = z @ (z.mT @ basis) if formed is None else formed @ basis
        basis = torch.linalg.qr(image).Q
    image = z @ (z.mT @ basis) if formed is None else formed @ basis
    spectrum, turn = torch.linalg.eigh(basis.mT @ image)
    spectrum = spectrum.clamp(min=0)
    return (basis @ turn).mT.contiguous(), spectrum, float(spectrum[0])
