"""Activations with known sparse causes: what a dictionary should find, and nothing hidden."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.special import ndtri
from torch import Tensor

from sonde.core.base import Config
from sonde.core.errors import SondeError

RAREST = 1e-5  # a cause that never fires in the training rows cannot be found


class TruthSettings(Config):
    """How activations come about.

    ``n_causes`` directions of width ``d``, drawn on the sphere. Cause i fires with a probability
    that falls as ``(i + 1) ** -zipf``; on average ``active`` fire at once. ``correlation`` is that
    of the Gaussian numbers behind the causes of one of ``groups`` groups; whether a cause fires is
    whether its number exceeds a limit (a Gaussian copula). With ``hierarchy`` the second half of
    the causes are children, each of one of the first half, and fire only where it does. A cause
    that fires is ``1 + spread * |normal|`` strong, and ``noise`` is the standard deviation of what
    is added to each coordinate, times 1 / sqrt(d).
    """

    n_causes: Annotated[int, Field(ge=2)] = 256
    d: Annotated[int, Field(ge=2)] = 128
    active: Annotated[float, Field(gt=0)] = 8.0
    zipf: Annotated[float, Field(ge=0)] = 0.5
    groups: Annotated[int, Field(ge=1)] = 16
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    hierarchy: bool = False
    spread: Annotated[float, Field(ge=0)] = 0.5
    noise: Annotated[float, Field(ge=0)] = 0.05
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fires(self) -> "TruthSettings":
        if self.active >= self.n_causes:
            raise ValueError(f"`active`, {self.active:g}, is to lie below `n_causes`")
        if self.groups > self.n_causes:
            raise ValueError(f"{self.groups} groups cannot part {self.n_causes} causes")
        return self


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows with their causes: ``x = strength @ directions + noise``."""

    x: Float[Tensor, "row d"]
    strength: Float[Tensor, "row cause"]


@dataclass(frozen=True, eq=False)
class KnownTruth:
    """The causes of made activations; rows are a function of a seed."""

    settings: TruthSettings

    @cached_property
    def directions(self) -> Float[Tensor, "cause d"]:
        """The unit direction of each cause."""
        rng = np.random.default_rng([self.settings.seed, 0])
        drawn = rng.normal(size=(self.settings.n_causes, self.settings.d))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return torch.from_numpy(drawn).float()

    @cached_property
    def parent(self) -> np.ndarray:
        """The parent of each cause, -1 where it has none."""
        found = np.full(self.settings.n_causes, -1)
        if self.settings.hierarchy:
            half = self.settings.n_causes // 2
            rng = np.random.default_rng([self.settings.seed, 1])
            found[half:] = rng.integers(0, half, len(found) - half)
        return found

    @cached_property
    def chance(self) -> np.ndarray:
        """The probability that each cause fires, its parent's firing counted in.

        Raises:
            SondeError: a cause would have to fire more often than always.
        """
        n = self.settings.n_causes
        share = np.arange(1, n + 1, dtype=np.float64) ** -self.settings.zipf
        chance = self.settings.active * share / share.sum()
        if chance.max() > 1 or chance.min() < RAREST:
            raise SondeError(
                f"With zipf {self.settings.zipf:g} and {self.settings.active:g} active of {n}, "
                f"causes fire with probabilities from {chance.min():.2g} to {chance.max():.2g}.",
                fix="Lower zipf, or change how many are active.",
            )
        return chance

    def draw(self, rows: int, seed: int) -> Drawn:
        """Return rows; the same seed gives the same rows."""
        s, rng = self.settings, np.random.default_rng([self.settings.seed, 2, seed])
        group = np.arange(s.n_causes) % s.groups
        own = rng.normal(size=(rows, s.n_causes))
        shared = rng.normal(size=(rows, s.groups))[:, group]
        behind = np.sqrt(1 - s.correlation) * own + np.sqrt(s.correlation) * shared
        child = self.parent >= 0
        behind[:, child] = own[:, child]  # their parents' correlation is theirs
        given = self.chance.copy()
        given[child] = np.minimum(given[child] / self.chance[self.parent[child]], 1.0)
        fires = behind > -ndtri(given)
        fires[:, child] &= fires[:, self.parent[child]]
        strength = np.where(fires, 1 + s.spread * np.abs(rng.normal(size=fires.shape)), 0.0)
        found = torch.from_numpy(strength).float()
        noise = torch.from_numpy(rng.normal(size=(rows, s.d))).float() * (s.noise / s.d**0.5)
        return Drawn(found @ self.directions + noise, found)
