"""What results.json holds."""

from typing import Any

from sonde.core.base import Config
from sonde.probes.artifact import IntervalHeader
from sonde.probes.settings import ProbeSettings

FORMAT = 2  # 1 had a single control and a single baseline


class ControlFile(Config):
    """A control in results.json; ``repetitions`` is how many series of unit scores it has."""

    score: IntervalHeader
    repetitions: int


class LayerFile(Config):
    """One layer in results.json; ``name`` is its series of unit scores."""

    name: str
    hook: str
    position: str
    metrics: dict[str, IntervalHeader]
    controls: dict[str, ControlFile]
    penalty: float
    by_penalty: tuple[tuple[float, float | None], ...]
    probe: str
    warnings: tuple[str, ...]


class SelectionFile(Config):
    """The score of choosing, in results.json."""

    score: IntervalHeader
    controls: dict[str, ControlFile]
    hooks: tuple[str, ...]
    positions: tuple[str, ...]
    penalties: tuple[float, ...]


class ResultsFile(Config):
    """results.json."""

    artifact: str
    format: int
    sonde_version: str
    kind: str
    metric: str
    n: int
    n_rows: int
    labels: tuple[str, ...]
    settings: ProbeSettings
    layers: tuple[LayerFile, ...]
    selection: SelectionFile
    baselines: dict[str, IntervalHeader]
    missing: dict[str, str]
    join: dict[str, Any]
    failed: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    files: dict[str, str]  # each other file's sha256
