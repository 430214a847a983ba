"""Results as a folder: results.json, probes/*.safetensors, out_of_fold.parquet.

``results.json`` is written last and names the other files with their hashes: a folder without it
is unfinished.
"""

import re
from pathlib import Path
from typing import Any

from sonde import __version__
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import read_json, sha256_file, write_json
from sonde.core.hooks import parse_hook_point
from sonde.data.accounting import JoinReport
from sonde.probes.artifact import IntervalHeader
from sonde.probes.baseline import Baseline
from sonde.probes.per_unit import read_table, write_table
from sonde.probes.probe import Kind, Probe
from sonde.probes.results import LayerResult, ProbeResults, Selection
from sonde.probes.scored import Scored
from sonde.probes.settings import ProbeSettings
from sonde.probes.sweep import FailedLayer

FORMAT = 1
TABLE = "out_of_fold.parquet"


class LayerFile(Config):
    """One layer in results.json."""

    hook: str
    position: str
    metrics: dict[str, IntervalHeader]
    control: IntervalHeader
    penalty: float
    by_penalty: tuple[tuple[float, float | None], ...]
    probe: str
    warnings: tuple[str, ...]


class SelectionFile(Config):
    """The score of choosing, in results.json."""

    score: IntervalHeader
    control: IntervalHeader
    hooks: tuple[str, ...]
    positions: tuple[str, ...]
    penalties: tuple[float, ...]


class ResultsFile(Config):
    """results.json."""

    artifact: str
    format: int
    sonde_version: str
    kind: Kind
    metric: str
    n: int
    n_rows: int
    labels: tuple[str, ...]
    settings: ProbeSettings
    layers: tuple[LayerFile, ...]
    selection: SelectionFile
    baseline: IntervalHeader | None
    join: dict[str, Any]
    failed: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    files: dict[str, str]  # each other file's sha256


def save_results(results: ProbeResults, folder: Path) -> Path:
    """Write the folder; return it."""
    names = [_file_name(number, layer) for number, layer in enumerate(results.layers)]
    for name, layer in zip(names, results.layers, strict=True):
        layer.probe.save(folder / name)
    write_table(results, folder / TABLE)
    file = ResultsFile(
        artifact="probe results",
        format=FORMAT,
        sonde_version=__version__,
        kind=results.kind,
        metric=results.metric,
        n=results.n,
        n_rows=results.n_rows,
        labels=results.labels,
        settings=results.settings,
        layers=tuple(map(_layer_file, results.layers, names)),
        selection=_selection_file(results.selection),
        baseline=IntervalHeader.of(results.baseline) if results.baseline else None,
        join={name: getattr(results.join, name) for name in JoinReport.__dataclass_fields__},
        failed=tuple((str(it.hook), it.position, it.reason) for it in results.failed),
        warnings=results.warnings,
        files={name: sha256_file(folder / name) for name in [*names, TABLE]},
    )
    write_json(folder / "results.json", file.model_dump(mode="json"))
    return folder


def load_results(folder: Path) -> ProbeResults:
    """Read the folder.

    Raises:
        SondeError: a file is missing, altered, or of a later format.
    """
    where = folder / "results.json"
    given = read_json(where)
    if not isinstance(given, dict) or given.get("artifact") != "probe results":
        raise SondeError(f"{where} does not hold probe results.", fix="Name a results folder.")
    if given.get("format") != FORMAT:
        raise SondeError(
            f"{where} has format {given.get('format')}; this sonde reads {FORMAT}.",
            fix=f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    file = validated(ResultsFile, given, where=str(where))
    for name, expected in file.files.items():
        _whole(folder, name, expected)
    series = read_table(folder / TABLE)
    selection = file.selection
    return ProbeResults(
        kind=file.kind,
        metric=file.metric,
        layers=tuple(
            _layer(folder, layer, file, series, number) for number, layer in enumerate(file.layers)
        ),
        selection=Selection(
            score=selection.score.interval(),
            control=selection.control.interval(),
            hooks=tuple(map(parse_hook_point, selection.hooks)),
            positions=selection.positions,
            penalties=selection.penalties,
            scored=series["selected"],
        ),
        bag_of_tokens=Baseline(file.baseline.interval(), series["bag_of_tokens"])
        if file.baseline
        else None,
        join=_join(file.join),
        n=file.n,
        n_rows=file.n_rows,
        labels=file.labels,
        settings=file.settings,
        failed=tuple(FailedLayer(parse_hook_point(hook), *rest) for hook, *rest in file.failed),
        warnings=file.warnings,
    )


def _whole(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SondeError(f"{folder / 'results.json'} names {name!r}, outside its own folder.")
    if not path.is_file():
        raise SondeError(f"{path} is missing.", fix="Copy the whole folder, or fit again.")
    if sha256_file(path) != expected:
        raise SondeError(f"{path} was altered after it was written.", fix="Fit again.")


def _file_name(number: int, layer: LayerResult) -> str:
    position = re.sub(r"[^A-Za-z0-9-]+", "_", layer.position).strip("_")
    return f"probes/{number:04d}-{layer.hook}-{position}.safetensors"


def _layer_file(layer: LayerResult, name: str) -> LayerFile:
    return LayerFile(
        hook=str(layer.hook),
        position=layer.position,
        metrics=_headers(layer.metrics),
        control=IntervalHeader.of(layer.control),
        penalty=layer.penalty,
        by_penalty=layer.by_penalty,
        probe=name,
        warnings=layer.warnings,
    )


def _selection_file(selection: Selection) -> SelectionFile:
    return SelectionFile(
        score=IntervalHeader.of(selection.score),
        control=IntervalHeader.of(selection.control),
        hooks=tuple(map(str, selection.hooks)),
        positions=selection.positions,
        penalties=selection.penalties,
    )


def _headers(metrics: Any) -> dict[str, IntervalHeader]:
    return {name: IntervalHeader.of(value) for name, value in metrics.items()}


def _layer(
    folder: Path, layer: LayerFile, file: ResultsFile, series: dict[str, Scored], number: int
) -> LayerResult:
    metrics = {name: layer.metrics[name].interval() for name in file.settings.metrics}
    return LayerResult(
        hook=parse_hook_point(layer.hook),
        position=layer.position,
        score=metrics[file.metric],
        control=layer.control.interval(),
        metrics=metrics,
        penalty=layer.penalty,
        by_penalty=tuple(
            (penalty, float("nan") if score is None else score)
            for penalty, score in layer.by_penalty
        ),
        probe=Probe.load(folder / layer.probe),
        scored=series[f"layer {number}"],
        control_scored=tuple(
            series[f"control {shuffle} of layer {number}"]
            for shuffle in range(file.settings.shuffles)
        ),
        warnings=layer.warnings,
    )


def _join(given: dict[str, Any]) -> JoinReport:
    lost = {
        side: {reason: tuple(ids) for reason, ids in given[side].items()}
        for side in ("labels_lost", "activations_lost")
    }
    return JoinReport(**{**given, **lost, "skipped": tuple(given["skipped"])})
