"""Parts of the data that are held out: topics, documents, languages that no fit has seen."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sonde.activations.activations import Activations, Skipped
from sonde.activations.subset import Subset
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.probes.elsewhere import Source
from sonde.probes.scored import Scored
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.targets import Labels
from sonde.probes.transferring import Transfer, TransferCell, bare, cells_of


def held_out_groups(
    acts: Activations, y: Labels, parts: Mapping[str, str], settings: AnyProbeSettings
) -> Transfer:
    """Score each part of the data by probes fitted on all the others.

    ``parts`` names the part of each example: a topic, a document, a language. Examples without a
    part train in every fit and are tested in none.

    Raises:
        SondeError: there is no part, or nothing beside the only one, nothing can be fitted without
            any of them, or the kind reads comparisons.
    """
    chosen = bare(settings)
    of_row = np.array([parts.get(name, "") for name in acts.rows.example.tolist()])
    names = sorted(set(of_row.tolist()) - {""})
    if not names or (of_row == names[0]).all():
        raise SondeError(
            f"The examples fall into {len(names)} part{'s' * (len(names) != 1)}; holding one out "
            "needs two.",
            fix="Name the part of each example by its id, such as "
            f"{', '.join(map(repr, acts.rows.example[:2].tolist()))}.",
        )
    cells: list[TransferCell] = []
    faults: list[SondeError] = []
    for part in names:
        inside = of_row == part
        rest = Source(_part(acts, ~inside, f"held out: {part}"), _labels_of(y, ~inside))
        here = Source(_part(acts, inside, f"not of {part}"), _labels_of(y, inside))
        found = cells_of({f"all but {part}": rest}, {part: here}, chosen)
        cells, faults = [*cells, *found[0]], [*faults, *found[1]]
    if len(faults) == len(names):
        raise faults[0]
    return Transfer(settings.kind, settings.metric, tuple(cells))


def all_held_out(found: Transfer) -> Scored | None:
    """Lay the parts end to end: each row as the fit said it that had not seen its part.

    The parts are the folds. None where no part was scored, and where a row has several lines, as
    of several targets, whose standards are those of their part.
    """
    parts = [cell.scored for cell in found.cells if cell.scored is not None]
    if not parts:
        return None
    whole = Scored.joined(
        [replace(one, fold=np.full(len(one), number)) for number, one in enumerate(parts)]
    )
    rows = set(zip(whole.example.tolist(), whole.token.tolist(), strict=True))
    return whole if len(rows) == len(whole) else None


def _labels_of(y: Labels, rows: np.ndarray) -> Labels:
    """Take the labels of some rows where they come row by row, else as they are."""
    by_row = not isinstance(y, Mapping) and not isinstance(next(iter(y), None), Example)
    return np.asarray(y)[rows] if by_row else y


def _part(acts: Activations, rows: np.ndarray, reason: str) -> Subset:
    gone = np.setdiff1d(acts.rows.example, acts.rows.example[rows]).tolist()
    skipped = tuple(Skipped(str(name), reason) for name in gone)
    return Subset(acts, np.flatnonzero(rows), (*acts.skipped, *skipped))
