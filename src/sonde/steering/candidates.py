"""A candidate: a vector, a coefficient and the way it is used; an arm: who is asked."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from sonde.core.edits import Add, Edit, Gate, When
from sonde.core.files import fingerprint
from sonde.steering.joint import JointVectors, joint_name
from sonde.vectors.vector import EditKind, Vector

UNSTEERED = "unsteered"


@dataclass(frozen=True, slots=True, eq=False)
class How:
    """The way in which a vector is used: the kind of edit and the tokens that it reaches.

    ``steps`` is a half-open window of generated tokens, from 0; None is all of them. ``gate``
    limits the edit to tokens that a linear condition holds at.
    """

    kind: EditKind = "add"
    when: When = When.GENERATED
    steps: tuple[int, int | None] | None = None
    gate: Gate | None = None

    def key(self) -> dict[str, Any]:
        """Say all of it as values that can be written and compared."""
        return {
            "kind": self.kind,
            "when": str(self.when),
            "steps": self.steps,
            "gate": None
            if self.gate is None
            else [
                str(self.gate.hook),
                _digest(torch.as_tensor(self.gate.weight)),
                _digest(torch.as_tensor(self.gate.bias)),
                _digest(torch.as_tensor(self.gate.threshold)),
            ],
        }


@dataclass(frozen=True, eq=False)
class Candidate:
    """A vector with a coefficient in units of the typical norm, and how it is used.

    ``also`` are vectors at further layers, each used with the same coefficient in its own layer's
    unit.
    """

    vector: Vector
    coefficient: float
    how: How = How()
    also: tuple[Vector, ...] = ()

    @staticmethod
    def of(joint: JointVectors, coefficient: float, how: How) -> "Candidate":
        """Use a vector, or several together, with a coefficient."""
        return Candidate(joint.first, coefficient, how, joint.vectors[1:])

    @property
    def name(self) -> str:
        """The name of what steers."""
        return joint_name((self.vector, *self.also))

    @property
    def raw(self) -> float:
        """The coefficient in the activations' own unit, at the first vector's layer."""
        return self.vector.raw_coefficient(self.coefficient)

    @cached_property
    def key(self) -> str:
        """16 hex digits that change with any vector, coefficient or way: what answers hang on."""
        vectors = [vector_key(one) for one in (self.vector, *self.also)]
        return fingerprint([vectors, self.coefficient, self.how.key()])

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits of a row; none where the coefficient adds nothing.

        All rows of a candidate share them: a grid tells what is the same by what it is.

        Raises:
            SondeError: the typical norm is not known.
        """
        return self._edits

    @property
    def is_idle(self) -> bool:
        """Whether it changes nothing."""
        return self.how.kind == "add" and self.coefficient == 0

    @cached_property
    def _edits(self) -> tuple[Edit, ...]:
        vectors = () if self.is_idle else (self.vector, *self.also)
        return tuple(self._edit(vector) for vector in vectors)

    def _edit(self, vector: Vector) -> Edit:
        made = vector.edit(self.coefficient, kind=self.how.kind, when=self.how.when)
        if isinstance(made, Add):  # one tensor for all coefficients of a vector: rows share it
            made = replace(made, vector=vector.direction.float())
        if self.how.steps is None and self.how.gate is None:
            return made
        scope = replace(made.scope, steps=self.how.steps, gate=self.how.gate)
        return replace(made, scope=scope)


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Who is asked: the model with an instruction before the question, steered, both or neither."""

    candidate: Candidate | None = None
    instruction: str = ""

    @property
    def key(self) -> str:
        """What its answers hang on; the arms that change nothing share one."""
        steered = "" if self.candidate is None or self.is_idle else self.candidate.key
        if not self.instruction:
            return steered or UNSTEERED
        return fingerprint([steered, self.instruction])

    @property
    def is_idle(self) -> bool:
        """Whether nothing is steered."""
        return self.candidate is None or self.candidate.is_idle


def vector_key(vector: Vector) -> str:
    """Return 16 hex digits of the direction, the place and the unit of a vector.

    Its name has no part: what is steered by two names of one direction is one text.
    """
    return fingerprint([_digest(vector.direction), str(vector.hook), vector.typical_norm])


def _digest(tensor: torch.Tensor) -> str:
    given = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
    return hashlib.sha256(given.tobytes()).hexdigest()
