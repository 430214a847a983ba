"""Reads the file of an offline run of Weights & Biases back: LevelDB's log format, protobuf inside.

A file is a header of 7 bytes and blocks of 32 KiB; a record in a block has its checksum (4 bytes),
length (2), type (1: whole, 2 to 4: first, middle and last part), and content.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK, HEADER, RECORD = 32768, 7, 7
WHOLE, LAST = 1, 4
PATIENCE = 300  # looks, a tenth of a second apart


@dataclass
class OfflineRun:
    """What an offline run holds."""

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)  # name or glob -> definition
    exit_code: int | None = None


def read_offline_runs(folder: Path) -> list[OfflineRun]:
    """Read all offline runs below a folder, in the order of their making.

    A process of its own writes the files, which may still be at it when a run has been finished.
    """
    for _ in range(PATIENCE):
        runs = [_read(path) for path in folder.glob("wandb/offline-run-*/*.wandb")]
        if all(found.run is not None and found.exit_code is not None for found in runs):
            break
        time.sleep(0.1)
    return sorted(runs, key=lambda found: found.run.start_time.ToNanoseconds())


def _read(path: Path) -> OfflineRun:
    from wandb.proto.wandb_internal_pb2 import Record

    found = OfflineRun()
    for content in _contents(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found.run = record.run
            found.config |= _items(record.run.config.update)
        elif kind == "history":
            found.history.append(_items(record.history.item))
        elif kind == "summary":
            found.summary |= _items(record.summary.update)
        elif kind == "metric":
            found.metrics[record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    return found


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _contents(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    part, at = b"", HEADER
    while at + RECORD <= len(data):
        if BLOCK - at % BLOCK < RECORD:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + RECORD : at + RECORD + length]
        at += RECORD + length
        if kind in (WHOLE, LAST):
            found.append(part)
            part = b""
    return found
