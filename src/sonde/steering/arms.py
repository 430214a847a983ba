"""What a result says of each arm: who was asked, steered by what, how strongly."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from sonde.core.base import Config

if TYPE_CHECKING:
    from sonde.steering.candidates import Arm
    from sonde.vectors.vector import Vector

Role: TypeAlias = Literal["unsteered", "prompt", "steered"]
RANDOM = "random"


class SteeredBy(Config):
    """A vector that was searched: enough of it to read a curve by.

    ``typical_norm`` is the unit of its coefficients, ``massive_share`` the share of its squared
    length in massive dimensions. ``note`` says where it comes from, should that be another model.
    """

    name: str
    method: str
    cleaning: str
    hook: str
    layer: int
    position: str
    typical_norm: float
    massive_share: float
    note: str = ""

    @staticmethod
    def of(vector: "Vector", note: str = "") -> "SteeredBy":
        """Describe a vector.

        Raises:
            SondeError: its typical norm is not known.
        """
        return SteeredBy(
            name=vector.name,
            method=vector.method,
            cleaning=vector.cleaning,
            hook=str(vector.hook),
            layer=vector.layer,
            position=vector.position,
            typical_norm=vector.raw_coefficient(1.0),
            massive_share=vector.massive_share,
            note=note,
        )

    @property
    def kind(self) -> str:
        """``<method>[/<cleaning>]``."""
        return self.name.split("@", 1)[0]


class ArmRow(Config):
    """One arm: ``coefficient`` in units of the typical norm, ``raw`` in the activations' own."""

    role: Role
    vector: str = ""
    coefficient: float | None = None
    raw: float | None = None

    @staticmethod
    def of(arm: "Arm") -> "ArmRow":
        """Describe an arm."""
        if arm.candidate is not None:
            return ArmRow(
                role="steered",
                vector=arm.candidate.vector.name,
                coefficient=arm.candidate.coefficient,
                raw=arm.candidate.raw,
            )
        return ArmRow(role="prompt" if arm.instruction else "unsteered")

    @property
    def name(self) -> str:
        """The arm in tables: ``unsteered``, ``prompt``, or the vector and its coefficient."""
        if self.coefficient is None:
            return self.role
        return f"{self.vector} × {self.coefficient:.3g}"
