"""The per-unit scores of a result as one Parquet table, from which any number can be made again."""

from pathlib import Path
from typing import Any

import numpy as np

from sonde.core.files import write_atomic
from sonde.probes.results import ProbeResults
from sonde.probes.scored import Scored


def _series(results: ProbeResults) -> dict[str, tuple[str, str, Scored]]:
    """Name every series of per-unit scores, with its hook point and position."""
    found = {"selected": ("", "", results.selection.scored)}
    if results.bag_of_tokens:
        found["bag_of_tokens"] = ("", "", results.bag_of_tokens.scored)
    for number, layer in enumerate(results.layers):
        place = str(layer.hook), layer.position
        found[f"layer {number}"] = (*place, layer.scored)
        for shuffle, scored in enumerate(layer.control_scored):
            found[f"control {shuffle} of layer {number}"] = (*place, scored)
    return found


def write_table(results: ProbeResults, path: Path) -> None:
    """Write every series, one row a unit score."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [] for name in ("series", "hook", "position")}
    everything: list[Scored] = []
    for name, (hook, position, scored) in _series(results).items():
        for column, value in zip(columns.values(), (name, hook, position), strict=True):
            column.append(np.full(len(scored), value))
        everything.append(scored)
    joined = Scored.joined(everything)
    table = pa.table(
        {
            name: pa.array(np.concatenate(parts)).dictionary_encode()
            for name, parts in columns.items()
        }
        | {name: pa.array(getattr(joined, name)) for name in Scored.__dataclass_fields__}
    )
    write_atomic(path, lambda aside: pq.write_table(table, aside))


def read_table(path: Path) -> dict[str, Scored]:
    """Read the series by name."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    series = table.column("series").to_numpy()
    columns = {name: table.column(name).to_numpy() for name in Scored.__dataclass_fields__}
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    ends = np.r_[starts[1:], len(series)]
    return {
        str(series[start]): Scored(
            **{
                name: column[start:end].astype(str) if column.dtype == object else column[start:end]
                for name, column in columns.items()
            }
        )
        for start, end in zip(starts, ends, strict=True)
    }
