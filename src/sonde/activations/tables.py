"""The tables of a store as Parquet: equal input gives equal bytes."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sonde.activations.activations import RowTable, Skipped
from sonde.activations.prepare import Prepared
from sonde.core.files import write_atomic

CHUNK = 1 << 17
TEXTS = ("example", "position", "group")
NUMBERS = ("ordinal", "token", "token_id", "n_tokens", "start", "end")
Coded = tuple[Sequence[str], np.ndarray]  # the distinct texts, and which one each row has
Chunk = tuple[dict[str, Coded], dict[str, np.ndarray]]


def write_rows(path: Path, prepared: Prepared, numbers: np.ndarray) -> None:
    """Write the rows of a store in its order; ``ordinal`` is the example's place in the data."""
    columns = prepared.row_columns
    ids = [example.id for example in prepared.examples]
    groups = [example.group or "" for example in prepared.examples]
    positions = [str(position) for position in prepared.positions]

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            example = columns["example"][part]
            texts: dict[str, Coded] = {
                "example": (ids, example),
                "position": (positions, columns["position"][part]),
                "group": (groups, example),
            }
            yield texts, {"ordinal": example} | {name: columns[name][part] for name in NUMBERS[1:]}

    _write_chunks(path, chunks())


def write_row_table(path: Path, rows: RowTable) -> None:
    """Write a row table that is in memory; rows of one example share its ordinal."""
    texts: dict[str, Coded] = {}
    first: np.ndarray = np.empty(0)
    for name in TEXTS:
        values, first, codes = np.unique(
            getattr(rows, name), return_index=True, return_inverse=True
        )
        texts[name] = (values.tolist(), codes.astype(np.int32))
        if name == "example":
            ordinal = np.argsort(np.argsort(first, kind="stable"), kind="stable")[codes]
    numbers = {"ordinal": ordinal.astype(np.int32)}
    numbers |= {name: np.asarray(getattr(rows, name), np.int32) for name in NUMBERS[1:]}
    _write_chunks(path, [(texts, numbers)])


def _write_chunks(path: Path, chunks: Iterable[Chunk]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [(name, pa.string()) for name in TEXTS] + [(name, pa.int32()) for name in NUMBERS]
    )

    def write(aside: Path) -> None:
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for texts, numbers in chunks:
                arrays = [
                    pa.DictionaryArray.from_arrays(
                        pa.array(codes, pa.int32()), pa.array(values, pa.string())
                    ).cast(pa.string())
                    for values, codes in (texts[name] for name in TEXTS)
                ]
                arrays += [pa.array(numbers[name], pa.int32()) for name in NUMBERS]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    write_atomic(path, write)


def read_rows(path: Path) -> tuple[RowTable, np.ndarray]:
    """Read a row table, and the ordinal of each row's example."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, read_dictionary=list(TEXTS))
    columns: dict[str, np.ndarray] = {
        name: table[name].to_numpy().astype(np.int32) for name in NUMBERS
    }
    for name in TEXTS:
        coded = table[name].unify_dictionaries().combine_chunks()
        values = np.array(coded.dictionary.to_pylist() or [""], dtype=np.str_)
        columns[name] = values[coded.indices.to_numpy()]
    ordinal = columns.pop("ordinal")
    return RowTable(**columns), ordinal


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Write what gave no activations, and why."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("example", "reason", "detail")
    schema = pa.schema([(name, pa.string()) for name in names])
    arrays = [pa.array([getattr(each, name) for each in skipped], pa.string()) for name in names]
    table = pa.Table.from_arrays(arrays, schema=schema)
    write_atomic(path, lambda aside: pq.write_table(table, aside, compression="zstd"))


def read_skipped(path: Path) -> tuple[Skipped, ...]:
    """Read what :func:`write_skipped` wrote."""
    import pyarrow.parquet as pq

    return tuple(Skipped(**row) for row in pq.read_table(path).to_pylist())
