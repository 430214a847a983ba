"""A probe as one safetensors file whose header holds everything needed to use it.

The header has a single metadata key, because safetensors writes several in no fixed order: equal
probes are equal files.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sonde import __version__
from sonde.activations.activations import Origin
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.core.hooks import parse_hook_point
from sonde.probes.probe import Probe
from sonde.probes.reader import Reader
from sonde.probes.readers import READERS
from sonde.probes.settings import SETTINGS, Says
from sonde.stats.interval import Interval

KEY = "sonde"
FORMAT = 2  # 1 knew linear probes of one output alone; it is read as well
FIRST = 1
OF_FIRST: dict[str, Says] = {"ridge": "number", "logistic": "logit", "mean_difference": "score"}
_ALTERED = "The file was altered; fit the probe again."


class IntervalHeader(Config):
    """An interval in the header; null where a bound is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    level: float

    @classmethod
    def of(cls, interval: Interval) -> "IntervalHeader":
        """Take an interval's numbers."""
        return cls(**{name: getattr(interval, name) for name in cls.model_fields})

    def interval(self) -> Interval:
        """Give them back."""
        bounds = (float("nan") if it is None else it for it in (self.value, self.low, self.high))
        return Interval(*bounds, n=self.n, level=self.level)


class ProbeHeader(Config):
    """What the header says of a probe."""

    artifact: str
    format: int
    sonde_version: str
    kind: str
    reader: str = "linear"
    says: Says | None = None  # in format 1 the kind tells
    model: str
    revision: str
    model_fingerprint: str
    hook: str
    position: str
    template: str
    dtype: str
    d_model: int
    scaling: str
    labels: tuple[str, ...]
    penalty: float
    training_data: str
    n_rows: int
    metrics: dict[str, IntervalHeader]
    origin: Origin


def header_of(probe: Probe) -> ProbeHeader:
    """Say everything about a probe but its numbers."""
    origin = probe.origin
    return ProbeHeader(
        artifact="probe",
        format=FORMAT,
        sonde_version=__version__,
        kind=probe.kind,
        reader=probe.reader.name,
        says=probe.says,
        model=origin.model,
        revision=origin.revision,
        model_fingerprint=origin.model_fingerprint,
        hook=str(probe.hook),
        position=probe.position,
        template=origin.template,
        dtype=origin.dtype,
        d_model=probe.d_model,
        scaling="the tensors take raw activations; mean and scale, already folded in, are those of "
        "the training rows",
        labels=probe.labels,
        penalty=probe.penalty,
        training_data=probe.training_data,
        n_rows=probe.n_rows,
        metrics={name: IntervalHeader.of(value) for name, value in probe.metrics.items()},
        origin=origin,
    )


def save_probe(probe: Probe, path: Path) -> Path:
    """Write a probe atomically; return the path."""
    whole = {  # copies, because safetensors refuses tensors that share memory
        name: tensor.detach().to("cpu", torch.float64).contiguous().clone()
        for name, tensor in probe.reader.tensors().items()
    }
    text = canonical_json(header_of(probe).model_dump(mode="json"))
    write_atomic(path, lambda aside: save_file(whole, aside, metadata={KEY: text}))
    return path


def load_probe(path: Path) -> Probe:
    """Read a probe.

    Raises:
        SondeError: the file is missing, damaged, not a probe, or of a later format.
    """
    header, tensors = _read(path)
    return Probe(
        kind=header.kind,
        hook=parse_hook_point(header.hook),
        position=header.position,
        reader=_reader(path, header, tensors),
        says=header.says or OF_FIRST[header.kind],
        labels=header.labels,
        penalty=header.penalty,
        origin=header.origin,
        metrics={name: value.interval() for name, value in header.metrics.items()},
        training_data=header.training_data,
        n_rows=header.n_rows,
    )


def header_in(path: Path) -> ProbeHeader:
    """Return the header as the file has it: its own format and version, whatever wrote it.

    Raises:
        SondeError: the file is missing, damaged, not a probe, or of a later format.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[ProbeHeader, dict[str, Tensor]]:
    if not path.is_file():
        raise SondeError(f"{path} does not exist.", fix="Give a probe's .safetensors file.")
    try:
        with safe_open(path, framework="pt") as file:
            given = _metadata(path, (file.metadata() or {}).get(KEY))
            header = validated(ProbeHeader, given, where=f"The header of {path}")
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SondeError(
            f"{path} is not a whole safetensors file ({error}).", fix="Copy or make it again."
        ) from None


def _reader(path: Path, header: ProbeHeader, tensors: dict[str, Tensor]) -> Reader:
    """Make the reader, whose tensors must be there and fit each other and the header."""
    for tag, table, what in (
        (header.kind, SETTINGS, "kind of probe"),
        (header.reader, READERS, "reader"),
    ):
        if tag not in table:
            raise SondeError(
                f"{path} has the {what} {tag!r}, which this sonde does not know.",
                fix=f"It was written by sonde {header.sonde_version}; use that or a later one.",
            )
    for name in ("mean", "scale"):
        if name not in tensors:
            raise SondeError(f"{path} is not whole: it has no {name}.", fix=_ALTERED)
        if tuple(tensors[name].shape) != (header.d_model,):
            raise SondeError(
                f"{path}: {name} has shape {list(tensors[name].shape)}, not [{header.d_model}].",
                fix=_ALTERED,
            )
    try:
        reader = READERS[header.reader].of(tensors)
        reader(torch.zeros(1, header.d_model, dtype=torch.float64))
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise SondeError(
            f"{path} is not whole: its tensors do not fit together ({error}).", fix=_ALTERED
        ) from None
    return reader


def _metadata(path: Path, text: str | None) -> dict[str, Any]:
    try:
        given = json.loads(text or "")
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or given.get("artifact") != "probe":
        raise SondeError(
            f"{path} is not a probe that sonde wrote.",
            fix="Give a file from the probes/ folder of a result.",
        )
    if given.get("format") not in (FIRST, FORMAT):
        raise SondeError(
            f"{path} has probe format {given.get('format')}; this sonde reads {FIRST} and "
            f"{FORMAT}.",
            fix=f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    return given
