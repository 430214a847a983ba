"""Vectors of many methods, layers, windows and cleanings, with what they said of held-out rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.core.positions import parse_position
from sonde.stats.scores import Scores
from sonde.vectors.cosines import Cosines, cosine_matrix
from sonde.vectors.twins import twins_of
from sonde.vectors.vector import Vector

Item = TypeVar("Item")
Some: TypeAlias = Item | Iterable[Item] | None


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The labelled rows of one position, and what vectors said of them without having seen them.

    ``example`` and ``unit`` (the group) name each row, ``truth`` is 1 where its label is the
    positive one, ``said`` has for a vector's name the projection of each row less the point midway
    between the classes, both of the fit that left the row's fold out: above 0 is the positive side,
    NaN a row that the vector was made from.
    """

    example: np.ndarray
    unit: np.ndarray
    truth: Float[np.ndarray, " row"]
    said: Mapping[str, Float[np.ndarray, " row"]]


@dataclass(frozen=True, slots=True, eq=False)
class VectorSet:
    """Vectors in order, each under a name of its own; ``held_out`` has the rows of each position.

    ``vectors[3]`` and ``vectors["mean_difference@prompt[-1]@blocks.8.resid_post"]`` are vectors;
    ``select`` keeps some. ``same`` has the kinds, ``<method>[/<cleaning>]``, that came to the same
    vectors as another kind, and that kind: they are not in the set twice, and are found by either
    name.
    """

    vectors: tuple[Vector, ...]
    held_out: Mapping[str, HeldOut] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = Counter(self.names)
        repeated = [name for name, count in counts.items() if count > 1][:3]
        if repeated:
            raise SondeError(
                f"Two vectors of a set are named {', '.join(repeated)}.",
                fix="Keep vectors of other traits or models in sets of their own.",
            )

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[Vector]:
        return iter(self.vectors)

    def __getitem__(self, which: int | str) -> Vector:
        """Return a vector by its number or its name.

        Raises:
            SondeError: the set has no vector of that name.
        """
        if isinstance(which, int):
            return self.vectors[which]
        among = (*self.vectors, *twins_of(self.vectors, self.same))
        found = next((one for one in among if one.name == which), None)
        if found is None:
            raise SondeError(
                f"There is no vector {which!r}.{nearest(which, self.names)}",
                fix=f"The set has {len(self)} vectors: {self._made_of()}.",
            )
        return found

    def __repr__(self) -> str:
        return f"VectorSet({len(self)} vectors: {self._made_of()})"

    @property
    def names(self) -> tuple[str, ...]:
        """The vectors' names, in order."""
        return tuple(one.name for one in self.vectors)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that occur, in order."""
        return self._values(lambda one: one.method)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The methods with their cleanings, ``<method>[/<cleaning>]``, in order."""
        return self._values(lambda one: one.kind)

    @property
    def cleanings(self) -> tuple[str, ...]:
        """The cleanings that occur, in order."""
        return self._values(lambda one: one.cleaning)

    @property
    def positions(self) -> tuple[str, ...]:
        """The positions that occur, in order."""
        return self._values(lambda one: one.position)

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points that occur, in the order of the forward pass."""
        return tuple(sorted({one.hook for one in self.vectors}, key=lambda hook: hook.depth))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that occur, first to last."""
        return tuple(sorted({one.layer for one in self.vectors}))

    def select(
        self,
        method: Some[str] = None,
        layer: Some[int] = None,
        position: Some[str] = None,
        cleaning: Some[str] = None,
        hook: Some[HookPoint | str] = None,
    ) -> "VectorSet":
        """Return the vectors that match, each argument one value or several; None matches all.

        A cleaning that came to the same as another is found by its own name.

        Raises:
            SondeError: none matches; what the set has is said.
        """
        wanted: list[tuple[str, Sequence[Any] | None, Callable[[Vector], Any]]] = [
            ("method", _several(method), lambda one: one.method),
            ("layer", _several(layer), lambda one: one.layer),
            ("position", _several(position, _position), lambda one: one.position),
            ("cleaning", _several(cleaning), lambda one: one.cleaning),
            ("hook", _several(hook, _hook), lambda one: one.hook),
        ]
        named = () if cleaning is None else twins_of(self.vectors, self.same)
        kept = tuple(
            one
            for one in (*self.vectors, *named)
            if all(among is None or of(one) in among for _, among, of in wanted)
        )
        if not kept:
            asked = ", ".join(
                f"{name} {' or '.join(map(str, among))}" for name, among, _ in wanted if among
            )
            raise SondeError(f"No vector has {asked}.", fix=f"There are {self._made_of()}.")
        return VectorSet(kept, self.held_out, self.notes, self.same)

    def joined(self, other: "VectorSet") -> "VectorSet":
        """Return the vectors of both sets, of one trait and model; held-out rows are merged.

        Raises:
            SondeError: a name occurs in both, or the rows of a position differ.
        """
        held = dict(self.held_out)
        for position, theirs in other.held_out.items():
            ours = held.get(position, theirs)
            if not (
                np.array_equal(ours.example, theirs.example)
                and np.array_equal(ours.truth, theirs.truth)
            ):
                raise SondeError(
                    f"The sets were fitted on other rows of {position}.",
                    fix="Keep them apart.",
                )
            held[position] = HeldOut(
                ours.example, ours.unit, ours.truth, {**ours.said, **theirs.said}
            )
        notes = tuple(dict.fromkeys((*self.notes, *other.notes)))
        same = {**self.same, **other.same}
        return VectorSet((*self.vectors, *other.vectors), held, notes, same)

    def scores(self, which: int | str, metric: str = "accuracy") -> Scores:
        """Return what a vector said of held-out rows, for comparisons in pairs.

        Raises:
            SondeError: there is no such vector, or it was not scored.
        """
        vector = self[which]
        held = self.held_out.get(vector.position)
        twin = self.same.get(vector.kind, vector.kind)
        name = f"{twin}@{vector.position}@{vector.hook}"
        if held is None or name not in held.said:
            raise SondeError(
                f"{vector.name} has no held-out scores.",
                fix="Make the vectors from activations with labels (vectors_from).",
            )
        said = held.said[name]
        there = ~np.isnan(said)  # of the gradient method, rows that it was not optimised on
        return Scores(
            metric, held.unit[there], said[there], held.truth[there], cross_validated=True
        )

    @property
    def directions(self) -> Float[Tensor, "vector d_model"]:
        """All directions, stacked.

        Raises:
            SondeError: they are of different widths.
        """
        if len({one.d_model for one in self.vectors}) > 1:
            raise SondeError(
                "The vectors are of different widths.", fix="Select those of one site first."
            )
        return torch.stack([one.direction for one in self.vectors])

    def cosines(self, a: str, b: str) -> Cosines:
        """Compare two kinds, ``<method>[/<cleaning>]``, wherever the set has both.

        Raises:
            SondeError: there is no place that has both.
        """
        return Cosines.of_kinds((*self.vectors, *twins_of(self.vectors, self.same)), a, b)

    def cosine_matrix(self, others: "VectorSet | None" = None) -> Float[np.ndarray, "vector other"]:
        """Return the cosine of each vector with each of the others, or of this set."""
        return cosine_matrix(self.vectors, (others or self).vectors)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file: stacked directions, and a table in its header."""
        from sonde.vectors.set_artifact import save_vectors

        return save_vectors(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "VectorSet":
        """Read a set that ``save`` wrote.

        Raises:
            SondeError: the file is missing, damaged, or not a set of vectors.
        """
        from sonde.vectors.set_artifact import load_vectors

        return load_vectors(Path(path))

    def _values(self, of: Callable[[Vector], str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(of(one) for one in self.vectors))

    def _made_of(self) -> str:
        layers = ", ".join(map(str, self.layers))
        return (
            f"{', '.join(self.kinds)} of {', '.join(self.positions)} at layers {layers}"
            if self.vectors
            else "none"
        )


def _several(given: Any, read: Callable[[Any], Any] = lambda value: value) -> list[Any] | None:
    if given is None:
        return None
    one = isinstance(given, str | int | HookPoint)
    return [read(value) for value in ([given] if one else given)]


def _hook(given: HookPoint | str) -> HookPoint:
    return parse_hook_point(given) if isinstance(given, str) else given


def _position(given: str) -> str:
    return str(parse_position(given))
