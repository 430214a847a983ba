"""The per-unit scores of a result as one Parquet table, from which any number can be made again.

A result's series has its name: ``selected``, a layer's hook point (and position). The repetitions
of its controls are ``<result>/<control> <number>``; a baseline, which all results share, has its
own name. Of several targets the choice's series are there of each alone too: ``selected <target>``
with its controls, and ``<baseline> <target>``. Rows are those of the activations, ``unit`` says
which are independent; in pairwise data a row is a pair, and ``other`` is the unit of its second
item (null in a series without pairs).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonde.core.files import write_atomic
from sonde.probes.of_targets import of_targets
from sonde.probes.results import LayerResult, ProbeResults, Selection
from sonde.probes.scored import Scored

SELECTED = "selected"


def repetition(result: str, control: str, number: int) -> str:
    """Return the name of a series of a control."""
    return f"{result}/{control} {number}"


def target_series(series: str, target: str) -> str:
    """Return the name of the part of a series that is of one target."""
    return f"{series} {target}"


def _with_controls(
    result: str, scored: Scored, controls: Mapping[str, Sequence[Scored]]
) -> dict[str, Scored]:
    return {result: scored} | {
        repetition(result, name, number): one
        for name, several in controls.items()
        for number, one in enumerate(several)
    }


def _series(results: ProbeResults) -> dict[str, tuple[str, str, Scored]]:
    """Name every series of per-unit scores, with its hook point and position."""
    selection = results.selection
    chosen = _with_controls(SELECTED, selection.scored, _repetitions(selection))
    for target in of_targets(results):
        name = target_series(SELECTED, target.name)
        chosen |= _with_controls(name, target.scored, target.controls)
        chosen |= {target_series(it, target.name): one for it, one in target.baselines.items()}
    found = {name: ("", "", scored) for name, scored in chosen.items()}
    found |= {name: ("", "", one.scored) for name, one in results.baselines.items()}
    for layer in results.layers:
        named = _with_controls(results.name_of(layer), layer.scored, _repetitions(layer))
        found |= {name: (str(layer.hook), layer.position, it) for name, it in named.items()}
    return found


def _repetitions(found: LayerResult | Selection) -> dict[str, tuple[Scored, ...]]:
    return {name: control.scored for name, control in found.controls.items()}


def write_table(results: ProbeResults, path: Path) -> None:
    """Write every series of a sweep, one row a unit score."""
    write_series(_series(results), path)


def write_series(series: Mapping[str, tuple[str, str, Scored]], path: Path) -> None:
    """Write series by name, each with its hook point and position (empty where it has none)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = [len(scored) for _, _, scored in series.values()]
    joined = Scored.joined([scored for _, _, scored in series.values()])
    places = zip(*((hook, position) for hook, position, _ in series.values()), strict=True)
    named = dict(zip(("series", "hook", "position"), (tuple(series), *places), strict=True))
    table = pa.table(
        {name: _repeated(values, sizes) for name, values in named.items()}
        | {
            name: pa.array(column)
            for name in Scored.__dataclass_fields__
            if name != "other" and (column := getattr(joined, name)) is not None
        }
        | ({} if joined.other is None else {"other": _pairs(joined.other)})
    )
    # Predictions do not repeat: their bytes, those of a place together, compress better.
    options: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": [name for name in table.column_names if name != "predicted"],
        "use_byte_stream_split": ["predicted"],
    }
    write_atomic(path, lambda aside: pq.write_table(table, aside, **options))


def _pairs(other: np.ndarray) -> object:
    """Return the second items; null in series without pairs."""
    import pyarrow as pa

    return pa.array([name or None for name in other.tolist()], pa.string())


def _repeated(values: tuple[str, ...], sizes: list[int]) -> object:
    """Return each text as often as its series is long, without writing it out each time."""
    import pyarrow as pa

    kinds, number = np.unique(np.array(values), return_inverse=True)
    index = np.repeat(number.reshape(-1), sizes).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(kinds.astype(object)))


def read_table(path: Path) -> dict[str, Scored]:
    """Read the series by name."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    series = table.column("series").to_numpy()
    columns = {
        name: table.column(name).to_numpy()
        for name in Scored.__dataclass_fields__
        if name in table.column_names
    }
    columns.setdefault("scale", np.ones(len(table)))  # tables before it was divided by have none
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    ends = np.r_[starts[1:], len(series)]
    return {
        str(series[start]): _one({name: column[start:end] for name, column in columns.items()})
        for start, end in zip(starts, ends, strict=True)
    }


def _one(columns: dict[str, np.ndarray]) -> Scored:
    if "other" in columns and columns["other"][0] is None:
        columns = {name: column for name, column in columns.items() if name != "other"}
    return Scored(
        **{
            name: column.astype(str) if column.dtype == object else column
            for name, column in columns.items()
        }
    )
