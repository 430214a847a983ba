"""Vectors of all methods, layers, windows and cleanings from one extraction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from sonde.activations.activations import Activations
from sonde.activations.massive_report import MassiveDimensions
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.models.model import Model
from sonde.probes.at_once import ROWS
from sonde.probes.targets import Labels
from sonde.probes.threads import each
from sonde.stats.bootstrap import Bootstrap
from sonde.vectors.checks import check_window
from sonde.vectors.cleaning import Cleaning, cleaned
from sonde.vectors.held_out import said_of, separations
from sonde.vectors.methods import METHODS
from sonde.vectors.rows import Rows, pairs_of
from sonde.vectors.settings import VectorSettings
from sonde.vectors.twins import repeats
from sonde.vectors.vector import UNCLEANED, Vector
from sonde.vectors.vector_set import HeldOut, VectorSet
from sonde.vectors.work import Work, work_of

Placed: TypeAlias = tuple[Vector, np.ndarray]  # a vector, and what it said of held-out rows
LAYERS = 3  # of one piece of work, whose rows stay near the processor


def vectors_from(
    acts: Activations,
    y: Labels,
    settings: VectorSettings | None = None,
    *,
    massive: MassiveDimensions | None = None,
    trait: str = "",
    model: Model | None = None,
    **keywords: Any,
) -> VectorSet:
    """Make vectors at every hook point and position of the activations, and score each.

    ``y`` are the labelled examples, a mapping from example to label, or one label a row; the
    settings' keys may be given as keywords. ``massive`` gives coefficients their unit and cleaning
    its coordinates. ``model`` is for the gradient method alone, which needs examples with
    responses.

    Each vector is made from all rows. Its metrics are those of the same procedure with folds of
    whole groups left out: accuracy about the midpoint of the class means, AUROC, and Cohen's d of
    the projections.

    Raises:
        SondeError: a setting does not fit, a side is empty, the same text stands on both sides, a
            window is longer than every response, groups are fewer than folds, or the massive
            dimensions are of another model.
    """
    base = settings.model_dump() if settings is not None else {}
    chosen = validated(VectorSettings, base | keywords, where="vectors' settings")
    work = work_of(acts, y, chosen, massive, trait)
    found = _linear(work)
    if "gradient" in chosen.methods:
        from sonde.vectors.by_gradient import gradient_vectors

        found = found.joined(gradient_vectors(work, y, model))
    return found


def _linear(work: Work) -> VectorSet:
    made: dict[str, list[Placed]] = {}
    notes = list(work.notes)
    for position in dict.fromkeys(work.targets.position.tolist()):
        at = work.place(position)
        short = check_window(work.acts, work.targets.index[at], position)
        notes += [short] if short else []
        made[position] = _at_position(work, position)
    same = repeats(vector for placed in made.values() for vector, _ in placed)
    notes += [f"{kind} stands for {twin}: it is the same." for kind, twin in same.items()]
    vectors: list[Vector] = []
    held: dict[str, HeldOut] = {}
    for position, placed in made.items():
        at = work.place(position)
        scored, said = _scored(work, [one for one in placed if one[0].kind not in same], at)
        vectors += scored
        held[position] = HeldOut(
            work.targets.example[at], work.targets.unit[at], work.targets.values[at, 0], said
        )
    return VectorSet(tuple(vectors), held, tuple(dict.fromkeys(notes)), {**work.same, **same})


def _at_position(work: Work, position: str) -> list[Placed]:
    """Make the vectors of one position, by method and then by cleaning."""
    methods = [name for name in work.settings.methods if METHODS[name].directions is not None]
    placed = [
        one
        for hooks in _by_width(work.acts, len(work.place(position)))
        for few in each(
            lambda some: _at_place(work, some, methods),
            _rows(work, hooks, position).split(LAYERS),
        )
        for one in few
    ]
    order = {name: number for number, name in enumerate(methods)}
    names = {one.name: number for number, one in enumerate(work.cleanings)}
    return sorted(placed, key=lambda one: (order[one[0].method], names.get(one[0].cleaning, 0)))


def _by_width(acts: Activations, rows: int) -> Iterator[tuple[HookPoint, ...]]:
    """Yield hook points of one width, as many as memory is meant to hold together."""
    widths = {hook: acts.tensor(hook)[:1].flatten(1).shape[1] for hook in acts.hooks}
    for width in dict.fromkeys(widths.values()):
        hooks = [hook for hook in acts.hooks if widths[hook] == width]
        size = max(1, ROWS // max(1, rows * width * 8))
        for at in range(0, len(hooks), size):
            yield tuple(hooks[at : at + size])


def _rows(work: Work, hooks: Sequence[HookPoint], position: str) -> Rows:
    at = work.place(position)
    index = torch.from_numpy(work.targets.index[at])
    x = torch.stack([work.acts.tensor(hook)[index].flatten(1) for hook in hooks])
    y, fold = work.targets.values[at, 0], work.fold[at]
    train = np.stack([fold >= 0, *(fold != one for one in range(work.settings.folds))])
    for number, marked in enumerate(train):
        if len(np.unique(y[marked])) < 2:
            raise SondeError(
                f"At {position} the rows outside fold {number} are all of one side.",
                fix="Give more examples of the smaller side, or fewer folds.",
            )
    return Rows.of(
        x,
        torch.from_numpy(y),
        torch.from_numpy(train),
        torch.from_numpy(pairs_of(work.targets.unit[at], y)),
        (tuple(hooks), position),
    )


def _at_place(work: Work, rows: Rows, methods: Sequence[str]) -> list[Placed]:
    """Make the vectors of some hook points at one position."""
    fold = work.fold[work.place(rows.position)]
    found: list[Placed] = []
    dimensions = next((one.dimensions for one in work.cleanings if one.before), ())
    bare = rows.without(dimensions) if dimensions else rows
    for name in methods:
        method = METHODS[name]
        assert method.directions is not None
        # A random direction without some coordinates is a random direction.
        variants = work.cleanings if method.needs != "nothing" else (Cleaning(UNCLEANED, ()),)
        made = {
            before: method.directions(bare if before else rows, work.settings)
            for before in {one.before for one in variants}
        }
        each_one = [cleaned(made[one.before], one.dimensions) for one in variants]
        whole = torch.stack(each_one, dim=2)  # [fit, layer, cleaning, d_model]
        said = said_of(whole, rows, fold)
        note = f"{method.says}; {len(rows.pairs)} pairs" if method.needs == "pairs" else method.says
        for layer, hook in enumerate(rows.hooks):
            for number, cleaning in enumerate(variants):
                place = (hook, rows.position)
                vector = work.vector(name, cleaning, place, whole[0, layer, number], note)
                if vector is None:
                    _refuse_no_difference(name, cleaning, rows, hook)
                else:
                    found.append((vector, said[layer, number]))
    return found


def _refuse_no_difference(name: str, cleaning: Cleaning, rows: Rows, hook: HookPoint) -> None:
    if cleaning.name == UNCLEANED:
        raise SondeError(
            f"At {rows.position} and {hook} {name} finds no direction: the rows of both sides are "
            "the same.",
            fix="Leave out a position that does not see where the sides differ, such as prompt[-1] "
            "of pairs that share their prompt.",
        )


def _scored(
    work: Work, placed: Sequence[Placed], at: np.ndarray
) -> tuple[list[Vector], Mapping[str, np.ndarray]]:
    """Give each vector its metrics; return what each said as well."""
    if not placed:
        return [], {}
    bootstrap = Bootstrap(level=work.settings.level, seed=work.settings.seed)
    said = np.stack([one for _, one in placed])
    metrics = separations(said, work.targets.values[at, 0], work.targets.unit[at], bootstrap)
    vectors = [
        replace(vector, metrics=found) for (vector, _), found in zip(placed, metrics, strict=True)
    ]
    return vectors, {one.name: row for one, row in zip(vectors, said, strict=True)}
