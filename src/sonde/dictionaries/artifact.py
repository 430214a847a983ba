"""A dictionary as one safetensors file; its header says what it is, of what and how made."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.artifact_file import ALTERED, KEY, plain, read_file
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary

FORMAT = 1
FILE = "dictionary.safetensors"  # in a folder with what belongs to it, such as its samples


class Figure(Config):
    """A metric with the interval of its level, over ``n`` units; None is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    level: float


class DictionaryHeader(Config):
    """The header of a dictionary's file.

    ``trained`` is the recipe with the texts, rows and steps, empty where another tool trained it;
    ``metrics`` are figures by name on texts that training did not see.
    """

    artifact: str
    format: int
    sonde_version: str
    name: str
    architecture: Architecture
    origin: Origin
    scaling: str
    note: str = ""
    trained: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Figure] = Field(default_factory=dict)


def save_dictionary(
    dictionary: Dictionary,
    path: Path,
    origin: Origin,
    note: str = "",
    *,
    trained: Mapping[str, Any] = MappingProxyType({}),
    metrics: Mapping[str, Figure] = MappingProxyType({}),
) -> Path:
    """Write a dictionary of raw activations atomically, in float32; return the path.

    Raises:
        SondeError: a weight is NaN or infinite.
    """
    tensors = {name: plain(tensor) for name, tensor in dictionary.state_dict().items()}
    for name, tensor in tensors.items():
        unset = name.endswith("threshold") and tensor.ndim == 0  # BatchTopK's before training
        if not unset and not bool(tensor.isfinite().all()):
            raise SondeError(
                f"{name} of the dictionary has NaN or Inf, so it is not saved.",
                fix="Go back to a checkpoint from before, with a lower learning rate.",
            )
    header = DictionaryHeader(
        artifact="dictionary",
        format=FORMAT,
        sonde_version=__version__,
        name=dictionary.architecture.name,
        architecture=dictionary.architecture,
        origin=origin,
        scaling="the weights take raw activations; scales of training are folded in",
        note=note,
        trained=dict(trained),
        metrics=dict(metrics),
    )
    text = canonical_json(header.model_dump(mode="json"))
    write_atomic(path, lambda aside: save_file(tensors, aside, metadata={KEY: text}))
    return path


def load_dictionary(path: Path) -> tuple[Dictionary, DictionaryHeader]:
    """Read a dictionary, ready for use, and what its file says of it.

    Raises:
        SondeError: the file is missing, damaged, not a dictionary or of a later format, or a tensor
            is missing, too many or of another shape.
    """
    header, tensors = read_dictionary(path)
    found = Dictionary(header.architecture)
    found.load_state_dict(tensors)
    return found.eval(), header


def read_dictionary(path: Path) -> tuple[DictionaryHeader, dict[str, Tensor]]:
    """Read what a dictionary's file says of it, and its tensors, those of its architecture.

    Raises:
        SondeError: as ``load_dictionary``.
    """
    given, tensors = read_file(path, "dictionary", "a dictionary", FORMAT)
    header = validated(DictionaryHeader, given, where=f"The header of {path}")
    with torch.device("meta"):
        found = Dictionary(header.architecture)
    own = {name: tuple(tensor.shape) for name, tensor in found.state_dict().items()}
    there = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = sorted(name for name in own.keys() | there.keys() if own.get(name) != there.get(name))
    if wrong:
        said = ", ".join(f"{n} {_shape(there.get(n))} for {_shape(own.get(n))}" for n in wrong[:4])
        raise SondeError(
            f"{path} does not hold the {header.name} that it names: {said}.", fix=ALTERED
        )
    return header, tensors


def _shape(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else str(list(shape))
