"""What a result says of each arm: who was asked, steered by what, how strongly."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from sonde.core.base import Config

if TYPE_CHECKING:
    from sonde.steering.candidates import Arm
    from sonde.steering.joint import JointVectors
    from sonde.vectors.vector import Vector

Role: TypeAlias = Literal["unsteered", "prompt", "steered"]
RANDOM = "random"


class SteeredAt(Config):
    """A further place of vectors that are steered together: where it is, and its unit there."""

    hook: str
    layer: int
    typical_norm: float
    massive_share: float

    @staticmethod
    def of(vector: "Vector") -> "SteeredAt":
        """Describe where a vector lies.

        Raises:
            SondeError: its typical norm is not known.
        """
        return SteeredAt(
            hook=str(vector.hook),
            layer=vector.layer,
            typical_norm=vector.raw_coefficient(1.0),
            massive_share=vector.massive_share,
        )


class SteeredBy(Config):
    """A vector that was searched, or several together: enough of it to read a curve by.

    ``typical_norm`` is the unit of its coefficients, ``massive_share`` the share of its squared
    length in massive dimensions. Of several the first has ``hook`` to ``massive_share``, the others
    are ``also``. ``note`` says where it comes from, should that be another model.
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
    also: tuple[SteeredAt, ...] = ()

    @staticmethod
    def of(joint: "JointVectors", note: str = "") -> "SteeredBy":
        """Describe what a coefficient was searched for.

        Raises:
            SondeError: a typical norm is not known.
        """
        first, *others = joint.vectors
        return SteeredBy(
            name=joint.name,
            method=first.method,
            cleaning=first.cleaning,
            position=first.position,
            note=note,
            also=tuple(SteeredAt.of(one) for one in others),
            **SteeredAt.of(first).model_dump(),
        )

    @property
    def kind(self) -> str:
        """``<method>[/<cleaning>]``."""
        return self.name.split("@", 1)[0]

    @property
    def places(self) -> tuple[SteeredAt, ...]:
        """Everywhere that it steers, in the order of the pass."""
        own = {name: getattr(self, name) for name in SteeredAt.model_fields}
        return (SteeredAt.model_validate(own), *self.also)

    @property
    def layers(self) -> tuple[int, ...]:
        """The blocks that it steers."""
        return tuple(dict.fromkeys(place.layer for place in self.places))

    @property
    def members(self) -> tuple[str, ...]:
        """The names in their set of the vectors that it is made of."""
        return tuple(f"{self.kind}@{self.position}@{place.hook}" for place in self.places)

    @property
    def where(self) -> str:
        """Where it steers, in words: ``block 15``, ``blocks 12, 15, 18``."""
        return f"block{'s' if len(self.layers) > 1 else ''} {blocks_in_words(self.layers)}"


class ArmRow(Config):
    """One arm: ``coefficient`` in units of the typical norm, ``raw`` in the activations' own.

    Of vectors at several layers ``raw`` is the first one's, and ``also_raw`` has the others'.
    """

    role: Role
    vector: str = ""
    coefficient: float | None = None
    raw: float | None = None
    also_raw: tuple[float, ...] = ()

    @staticmethod
    def of(arm: "Arm") -> "ArmRow":
        """Describe an arm."""
        if arm.candidate is not None:
            return ArmRow(
                role="steered",
                vector=arm.candidate.name,
                coefficient=arm.candidate.coefficient,
                raw=arm.candidate.raw,
                also_raw=tuple(
                    one.raw_coefficient(arm.candidate.coefficient) for one in arm.candidate.also
                ),
            )
        return ArmRow(role="prompt" if arm.instruction else "unsteered")

    @property
    def name(self) -> str:
        """The arm in tables: ``unsteered``, ``prompt``, or the vector and its coefficient."""
        if self.coefficient is None:
            return self.role
        return f"{self.vector} × {self.coefficient:.3g}"

    @property
    def raw_in_words(self) -> str:
        """The coefficient in the activations' own unit, of several layers the range of it."""
        if self.raw is None:
            return "–"
        sizes = sorted((self.raw, *self.also_raw), key=abs)
        ends = dict.fromkeys(f"{size:.3g}" for size in (sizes[0], sizes[-1]))
        return " to ".join(ends)


def blocks_in_words(layers: Sequence[int], to: str = " to ", and_: str = ", ") -> str:
    """Return blocks as tables name them: ``12, 15, 18``; four or more in a row as ``0 to 29``."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    words: list[str] = []
    for run in runs:
        words += [f"{run[0]}{to}{run[-1]}"] if len(run) > 3 else map(str, run)
    return and_.join(words)
