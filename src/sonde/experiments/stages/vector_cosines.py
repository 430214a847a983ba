"""Cosines of vectors with the probe's direction as results, so that claims can be made on them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonde.ledger.records import Measured
from sonde.ledger.units import write_scores

if TYPE_CHECKING:
    from sonde.stats.scores import Scores
    from sonde.vectors.vector_set import VectorSet

UNITS = "cosines.parquet"
COSINE, PROBE, RANDOM = "cosine", "probe", "random"
NOTE = "cosine with the probe's direction; the units are layers, of this one model"


def cosine_results(found: "VectorSet", folder: Path) -> tuple[Measured, ...]:
    """Return each kind's mean cosine with the probe's direction over the layers, per position.

    The interval is over the layers: how much they differ, not what other data would show. The
    cosines by layer go to a file of units in the folder. Nothing is returned of a set without a
    probe, or of a single layer.
    """
    from sonde.stats.effects import interval_of

    scores = _by_name(found)
    if scores:
        write_scores(scores, folder / UNITS)
    return tuple(
        Measured(
            name=name,
            metric=own.metric,
            score=interval_of(own),
            method=name.split()[1],
            units=UNITS,
            series=name,
            note=NOTE,
        )
        for name, own in scores.items()
    )


def _by_name(found: "VectorSet") -> "dict[str, Scores]":
    from sonde.stats.scores import Scores

    if PROBE not in found.kinds or len(found.layers) < 2:
        return {}
    made: dict[str, Scores] = {}
    for kind in found.kinds:
        if kind.split("/")[0] in (PROBE, RANDOM):
            continue
        cosines = found.cosines(kind, PROBE)
        for position in found.positions:
            here = [n for n, (where, _) in enumerate(cosines.places) if where == position]
            layers = np.array([str(cosines.places[n][1]) for n in here])
            name = f"{COSINE} {kind.replace('/', ' ')}"
            if len(found.positions) > 1:
                name += f" {position}"
            made[name] = Scores("mean", layers, cosines.values[here], None)
    return made
