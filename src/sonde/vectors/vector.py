"""A vector: a direction at one hook point, with a unit, that knows where it belongs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.origin import Origin
from sonde.core.edits import Ablate, Add, Clamp, Edit, Scope, When
from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import HookPoint
from sonde.models.model import ModelInfo
from sonde.stats.interval import Interval

EditKind: TypeAlias = Literal["add", "ablate", "clamp", "cap"]
Number: TypeAlias = float | int  # coefficients are often written as whole numbers
UNCLEANED = "none"
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A direction at one hook point, of unit length over all coordinates.

    ``method`` and ``cleaning`` say how it was made, ``position`` of which tokens; ``length`` is the
    length that the method gave it before it was scaled to one, in the activations' unit for a mean
    difference. ``labels`` are (negative, positive): the direction points from the first to the
    second. ``typical_norm`` is the unit of a coefficient at its layer, None where it was not
    measured; ``massive`` are the model's massive dimensions, largest first. ``metrics`` hold what
    it separates of held-out rows, ``training_data`` the fingerprint of what it was fitted on.
    ``note`` says what a reader of a result must know.
    """

    method: str
    hook: HookPoint
    position: str
    direction: Float[Tensor, " d_model"]
    origin: Origin
    cleaning: str = UNCLEANED
    length: float = 1.0
    trait: str = ""
    labels: tuple[str, str] = ("negative", "positive")
    typical_norm: float | None = None
    massive: tuple[int, ...] = ()
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    training_data: str = ""
    n_rows: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        length = float(self.direction.double().norm())
        if not abs(length - 1) <= UNIT_TOLERANCE:
            raise SondeError(
                f"The direction of {self.name} has length {length:g}, not 1.",
                fix="Divide it by its length, which belongs into `length`.",
            )

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {value}" for name, value in sorted(self.metrics.items()))
        return f"{self.name}: {scores or 'not scored'}"

    @property
    def name(self) -> str:
        """``<method>[/<cleaning>]@<position>@<hook point>``, which names it in its set."""
        return f"{self.kind}@{self.position}@{self.hook}"

    @property
    def kind(self) -> str:
        """``<method>[/<cleaning>]``: how it was made, wherever it lies."""
        return kind_of(self.method, self.cleaning)

    @property
    def layer(self) -> int:
        """The block that it lies in."""
        return self.hook.layer

    @property
    def d_model(self) -> int:
        """The width of the activations that it is a direction of."""
        return len(self.direction)

    @property
    def massive_share(self) -> float:
        """Share of its squared length in the massive dimensions, in [0, 1]."""
        return float(self.direction[list(self.massive)].double().square().sum())

    def raw_coefficient(self, coefficient: Number) -> float:
        """Return a coefficient in the activations' own unit: coefficient * typical norm.

        Raises:
            SondeError: the typical norm is not known.
        """
        if self.typical_norm is None:
            raise SondeError(
                f"{self.name} has no typical norm, so a coefficient has no unit.",
                fix="Measure the massive dimensions of the model (massive_dimensions), and make "
                "the vector with them, or give with_typical_norm(…).",
            )
        return coefficient * self.typical_norm

    def raw(self, coefficient: Number) -> Float[Tensor, " d_model"]:
        """Return what a coefficient adds to an activation: coefficient * typical norm * direction.

        Raises:
            SondeError: the typical norm is not known.
        """
        return self.raw_coefficient(coefficient) * self.direction

    def with_typical_norm(self, typical_norm: Number) -> "Vector":
        """Return the vector with another unit for its coefficients."""
        return replace(self, typical_norm=float(typical_norm))

    def project(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows"]:
        """Return x . direction in the activations' own unit, in float32.

        Raises:
            SondeError: the width is wrong.
        """
        if x.shape[-1] != self.d_model:
            raise SondeError(
                f"Activations of width {x.shape[-1]} do not fit {self.name}, whose width is "
                f"{self.d_model}.",
                fix=f"Give the activations at {self.hook} of the model {self.origin.model!r}.",
            )
        return x.float() @ self.direction.to(device=x.device, dtype=torch.float32)

    def edit(
        self, coefficient: Number, kind: EditKind | str = "add", when: When | str = When.BOTH
    ) -> Edit:
        """Return the edit that steers along the vector, coefficients in units of the typical norm.

        ``add`` adds coefficient * typical norm * direction; ``clamp`` sets the projection on the
        direction to coefficient * typical norm, ``cap`` keeps it from passing that; ``ablate``
        projects the direction out, whatever the coefficient.

        Raises:
            SondeError: the kind or the phase is unknown, or the unit is needed and not known.
        """
        scope = Scope(when=_phase(when))
        if kind == "ablate":
            return Ablate(self.hook, self.direction, scope)
        if kind not in get_args(EditKind):
            kinds = get_args(EditKind)
            raise SondeError(
                f"{kind!r} is not a way to steer.{nearest(kind, kinds)}",
                fix=f"Ways are {', '.join(kinds)}.",
            )
        scale = self.raw_coefficient(coefficient)
        if kind == "add":
            return Add(self.hook, self.direction, scale, scope)
        low = scale if kind == "clamp" else float("-inf")
        return Clamp(self.hook, self.direction, low, scale, scope)

    def check(
        self,
        info: ModelInfo,
        hook: HookPoint | None = None,
        *,
        allow_other_model: bool = False,
        allow_other_hook: bool = False,
    ) -> str:
        """Refuse a model or hook point that the vector was not made at; say what was allowed.

        Returns the sentence to be recorded with a result: empty where the model and the hook point
        are the vector's own, else where it comes from and where it is used (a base model's vector
        in the instruct model).

        Raises:
            SondeError: the model or the hook point is another and that is not allowed, or the
                vector does not fit: its width or depth is another.
        """
        from sonde.vectors.belonging import check_belonging

        return check_belonging(self, info, hook, allow_other_model, allow_other_hook)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file whose header says everything of the vector."""
        from sonde.vectors.artifact import save_vector

        return save_vector(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Vector":
        """Read a vector that ``save`` wrote.

        Raises:
            SondeError: the file is missing, damaged, or not a vector.
        """
        from sonde.vectors.artifact import load_vector

        return load_vector(Path(path))


def kind_of(method: str, cleaning: str) -> str:
    """Return ``<method>[/<cleaning>]``, as kinds of vectors are named."""
    return method if cleaning == UNCLEANED else f"{method}/{cleaning}"


def _phase(when: When | str) -> When:
    try:
        return When(when)
    except ValueError:
        raise SondeError(
            f"{when!r} is not a phase of a generation.{nearest(str(when), When)}",
            fix=f"Phases are {', '.join(When)}.",
        ) from None
