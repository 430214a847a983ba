"""Results as a folder: results.json, probes/*.safetensors, out_of_fold.parquet.

``results.json`` is written last and names the other files with their hashes: a folder without it
is unfinished.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde import __version__
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.files import read_json, sha256_file, write_json
from sonde.core.hooks import parse_hook_point
from sonde.data.accounting import JoinReport
from sonde.probes.artifact import IntervalHeader
from sonde.probes.baseline import Baseline
from sonde.probes.control import Control
from sonde.probes.names import in_order
from sonde.probes.per_unit import SELECTED, read_table, repetition, write_table
from sonde.probes.probe import Probe
from sonde.probes.results import LayerResult, ProbeResults, Selection
from sonde.probes.results_file import FORMAT, ControlFile, LayerFile, ResultsFile, SelectionFile
from sonde.probes.scored import Scored
from sonde.probes.swept import FailedLayer

TABLE = "out_of_fold.parquet"


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
        layers=tuple(
            _layer_file(layer, results.name_of(layer), name)
            for layer, name in zip(results.layers, names, strict=True)
        ),
        selection=_selection_file(results.selection),
        baselines={name: IntervalHeader.of(it.score) for name, it in results.baselines.items()},
        missing=dict(results.missing),
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
        SondeError: a file is missing, altered, or of another format.
    """
    where = folder / "results.json"
    given = read_json(where)
    if not isinstance(given, dict) or given.get("artifact") != "probe results":
        raise SondeError(f"{where} does not hold probe results.", fix="Name a results folder.")
    if given.get("format") != FORMAT:
        older = given.get("format") == 1
        raise SondeError(
            f"{where} has format {given.get('format')}; this sonde reads {FORMAT}.",
            fix="Fit again: that format has a single control and baseline, which are not enough."
            if older
            else f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    file = validated(ResultsFile, given, where=str(where))
    for name, expected in file.files.items():
        _whole(folder, name, expected)
    series = read_table(folder / TABLE)
    selection = file.selection
    return ProbeResults(
        kind=file.kind,
        metric=file.metric,
        layers=tuple(_layer(folder, layer, file, series) for layer in file.layers),
        selection=Selection(
            score=selection.score.interval(),
            controls=_controls(SELECTED, selection.controls, series),
            hooks=tuple(map(parse_hook_point, selection.hooks)),
            positions=selection.positions,
            penalties=selection.penalties,
            scored=series[SELECTED],
        ),
        baselines={
            name: Baseline(file.baselines[name].interval(), series[name])
            for name in in_order(file.baselines)
        },
        missing={name: file.missing[name] for name in in_order(file.missing)},
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


def _layer_file(layer: LayerResult, name: str, file: str) -> LayerFile:
    return LayerFile(
        name=name,
        hook=str(layer.hook),
        position=layer.position,
        metrics=_headers(layer.metrics),
        controls=_control_files(layer.controls),
        penalty=layer.penalty,
        by_penalty=layer.by_penalty,
        probe=file,
        warnings=layer.warnings,
    )


def _selection_file(selection: Selection) -> SelectionFile:
    return SelectionFile(
        score=IntervalHeader.of(selection.score),
        controls=_control_files(selection.controls),
        hooks=tuple(map(str, selection.hooks)),
        positions=selection.positions,
        penalties=selection.penalties,
    )


def _control_files(controls: Mapping[str, Control]) -> dict[str, ControlFile]:
    return {
        name: ControlFile(score=IntervalHeader.of(one.score), repetitions=len(one.scored))
        for name, one in controls.items()
    }


def _controls(
    result: str, controls: Mapping[str, ControlFile], series: Mapping[str, Scored]
) -> dict[str, Control]:
    return {
        name: Control(
            controls[name].score.interval(),
            tuple(
                series[repetition(result, name, number)]
                for number in range(controls[name].repetitions)
            ),
        )
        for name in in_order(controls)
    }


def _headers(metrics: Any) -> dict[str, IntervalHeader]:
    return {name: IntervalHeader.of(value) for name, value in metrics.items()}


def _layer(
    folder: Path, layer: LayerFile, file: ResultsFile, series: Mapping[str, Scored]
) -> LayerResult:
    metrics = {name: layer.metrics[name].interval() for name in file.settings.metrics}
    return LayerResult(
        hook=parse_hook_point(layer.hook),
        position=layer.position,
        score=metrics[file.metric],
        controls=_controls(layer.name, layer.controls, series),
        metrics=metrics,
        penalty=layer.penalty,
        by_penalty=tuple(
            (penalty, float("nan") if score is None else score)
            for penalty, score in layer.by_penalty
        ),
        probe=Probe.load(folder / layer.probe),
        scored=series[layer.name],
        warnings=layer.warnings,
    )


def _join(given: dict[str, Any]) -> JoinReport:
    lost = {
        side: {reason: tuple(ids) for reason, ids in given[side].items()}
        for side in ("labels_lost", "activations_lost")
    }
    return JoinReport(**{**given, **lost, "skipped": tuple(given["skipped"])})
