"""What became of the rows that a dictionary stage read: which were left out, and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from sonde.activations.shuffled_counts import KINDS

if TYPE_CHECKING:
    from sonde.activations.shuffled import CorpusRows
    from sonde.activations.shuffled_store import StoreRows

ROUNDS = "rows.jsonl"  # the counts of each round, so that those of a killed run are not lost
REASONS = {"separator": "separators", "sink": "attention sinks", "non_finite": "with NaN or Inf"}
UNKNOWN = "rounds_unknown"
_LEFT_OUT = ("separator", "sink", "non-finite")
Counts: TypeAlias = Mapping[str, int]


def row_counts(rows: "CorpusRows | StoreRows") -> dict[str, Counts]:
    """Return the counts of rows to train on, over all epochs and runs, and of held-out rows.

    Each round counts once, however often it was made, so that a training which was stopped and
    went on counts what one alone would have. ``rounds_unknown`` have no counts, where a file of
    them was lost.
    """
    train = {_name(kind): rows.counts[kind] for kind in KINDS}
    held = {_name(kind): rows.held_counts[kind] for kind in ("read", *_LEFT_OUT, "kept")}
    return {"train": {**train, UNKNOWN: rows.made.unknown}, "held_out": held}


def rows_in_words(counts: Counts, of: str) -> str:
    """Say how many rows were left out, and why: ``100 rows were read to train on, and …``."""
    lost = [f"{counts[key]:,} {name}" for key, name in REASONS.items() if counts[key]]
    said = f"{counts['read']:,} rows were read {of}, and {', '.join(lost) or 'none'} left out."
    if counts.get("left_over"):
        said += f" {counts['left_over']:,} were left over in their rounds."
    if counts.get("repeated"):
        said += f" {counts['repeated']:,} were given twice."
    if counts.get(UNKNOWN):
        said += f" Of {counts[UNKNOWN]:,} earlier rounds the counts are lost."
    return said


def _name(kind: str) -> str:
    return kind.replace("-", "_").replace(" ", "_")
