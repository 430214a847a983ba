"""What one coefficient is searched for: a vector, or several that are steered together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.core.words import in_words
from sonde.models.model import ModelInfo
from sonde.steering.arms import blocks_in_words
from sonde.vectors.vector import Vector


@dataclass(frozen=True, slots=True, eq=False)
class JointVectors:
    """One vector, or several of one kind and position that are steered together.

    They lie at hook points of their own, in the order of the pass, and share a coefficient: each
    is used with it in the typical norm of its own layer.

    Raises:
        SondeError: there is none, two lie at one hook point, or they are of several kinds.
    """

    vectors: tuple[Vector, ...]

    def __post_init__(self) -> None:
        hooks = [one.hook for one in self.vectors]
        if not hooks:
            raise SondeError("No vector was given to be steered.", fix="Give at least one.")
        twice = [str(hook) for hook in hooks if hooks.count(hook) > 1]
        if twice:
            raise SondeError(
                f"Vectors to be steered together are {len(hooks)}, and two lie at {twice[0]}.",
                fix="Give one vector a hook point; several there are searched one by one.",
            )
        kinds = list(dict.fromkeys(f"{one.kind} at {one.position}" for one in self.vectors))
        if len(kinds) > 1:
            raise SondeError(
                f"Vectors to be steered together are of several kinds: {in_words(kinds)}.",
                fix="Give vectors of one method, cleaning and position, at several layers.",
            )

    @staticmethod
    def of(given: "Steerable") -> "JointVectors":
        """Take a vector, or several to be steered together.

        Raises:
            SondeError: as the class.
        """
        if isinstance(given, JointVectors):
            return given
        if isinstance(given, Vector):
            return JointVectors((given,))
        return JointVectors(tuple(sorted(given, key=lambda one: one.hook.depth)))

    @property
    def first(self) -> Vector:
        """The vector that the pass comes to first."""
        return self.vectors[0]

    @property
    def name(self) -> str:
        """The vector's own name, or one with all blocks: ``probe@...@blocks.3,5.resid_post``."""
        return joint_name(self.vectors)

    @property
    def kind(self) -> str:
        """``<method>[/<cleaning>]``."""
        return self.first.kind

    @property
    def method(self) -> str:
        """How they were made."""
        return self.first.method

    @property
    def position(self) -> str:
        """The tokens that they were made of."""
        return self.first.position

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """Where they lie, in the order of the pass."""
        return tuple(one.hook for one in self.vectors)

    def check(self, info: ModelInfo, *, allow_other_model: bool = False) -> str:
        """Refuse a model that a vector was not made from; say what was allowed, as its ``check``.

        Raises:
            SondeError: the model is another and that is not allowed, or a vector does not fit.
        """
        said = [one.check(info, allow_other_model=allow_other_model) for one in self.vectors]
        return " ".join(dict.fromkeys(note for note in said if note))


Steerable: TypeAlias = Vector | Iterable[Vector] | JointVectors  # such as a VectorSet


def joint_name(vectors: Sequence[Vector]) -> str:
    """Return the name of vectors that are steered together; of one, its own."""
    first = vectors[0]
    blocks: dict[str, list[int]] = {}
    for one in vectors:
        blocks.setdefault(str(one.hook.site), []).append(one.layer)
    places = (
        f"blocks.{blocks_in_words(layers, '-', ',')}.{site}" for site, layers in blocks.items()
    )
    return f"{first.kind}@{first.position}@{','.join(places)}"
