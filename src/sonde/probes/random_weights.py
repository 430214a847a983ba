"""The random-weights control: the same probe on the same model with weights that learnt nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.probes.names import WEIGHTS
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.sweep import sweep
from sonde.probes.swept import Swept
from sonde.probes.targets import Targets

_AGAIN = "Extract it with the same data, hook points and positions, from `random:` and the model."


def with_random_weights(
    swept: Sequence[Swept],
    acts: tuple[Activations, Activations],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
) -> tuple[list[Swept], list[str]]:
    """Add the control to every place, and say where it could not be fitted.

    ``acts`` are the model's activations and those of the random one; rows, folds, labels, settings
    and metric are the same.

    Raises:
        SondeError: the two have not the same hook points and rows, or are of the same weights.
    """
    index = _rows_of(acts, targets, [one.place.hook for one in swept])
    alone = settings.model_copy(update={"shuffles": 0, "directions": 0})
    found, failed = sweep(acts[1], replace(targets, index=index), folds, alone)
    by_place = {one.place: one.columns for one in found}
    places = {one.place for one in swept}
    notes = [
        f"There is no control on random weights of {it.hook} at {it.position}: {it.reason}."
        for it in failed
        if any((it.hook, it.position) == (place.hook, place.position) for place in places)
    ]
    added = [
        one.with_control(WEIGHTS, by_place[one.place]) if one.place in by_place else one
        for one in swept
    ]
    return added, notes


def _rows_of(
    acts: tuple[Activations, Activations], targets: Targets, hooks: Sequence[object]
) -> Int[np.ndarray, " row"]:
    """Return the rows of the random model's activations that are those of the targets."""
    own, other = acts
    if other.origin.model_fingerprint and (
        other.origin.model_fingerprint == own.origin.model_fingerprint
    ):
        raise SondeError(
            f"The activations given as those of random weights are of {other.origin.model!r} "
            "itself: the same weights.",
            fix=f"Extract them from random:{other.origin.model}.",
        )
    absent = [str(hook) for hook in dict.fromkeys(hooks) if hook not in other.hooks]
    if absent:
        raise SondeError(
            f"The activations of random weights have no {absent[0]} "
            f"({len(absent)} of {len(set(hooks))} hook points are missing).",
            fix=_AGAIN,
        )
    wanted = _keys(own, targets.index)
    there = {key: row for row, key in enumerate(_keys(other, np.arange(len(other.rows))))}
    lost = [key for key in wanted if key not in there]
    if lost:
        example, position, token, _ = lost[0]
        raise SondeError(
            f"{len(lost):,} of {len(wanted):,} labelled rows have no partner among the activations "
            f"of random weights, such as {position} of {example!r} (token {token}).",
            fix=_AGAIN + " Another tokenizer makes other rows.",
        )
    index = np.array([there[key] for key in wanted], np.int64)
    ids, others = own.rows.token_id[targets.index], other.rows.token_id[index]
    differ = (ids != others) & (ids >= 0) & (others >= 0)
    if differ.any():
        name = str(targets.example[differ][0])
        raise SondeError(
            f"The tokens of {int(differ.sum()):,} rows differ between the two models, such as "
            f"those of {name!r}: they do not share a tokenizer.",
            fix="Use random weights of the very model, whose tokenizer is then the same.",
        )
    return index


def _keys(acts: Activations, index: np.ndarray) -> list[tuple[str, str, int, int]]:
    """Name rows by example, position, token, and how often these came before."""
    rows = acts.rows
    seen: dict[tuple[str, str, int], int] = {}
    keys: list[tuple[str, str, int, int]] = []
    columns = (rows.example[index], rows.position[index], rows.token[index])
    for key in zip(*(column.tolist() for column in columns), strict=True):
        keys.append((*key, seen.get(key, 0)))
        seen[key] = seen.get(key, 0) + 1
    return keys
