"""What the files of a format hold, before and after it is understood."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor

from sonde.activations.origin import Origin
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.artifact import Figure
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.findings import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Settings and tensors as a format writes them: its own names, its own shapes.

    ``where`` is the path or the hub id, for messages and for formats that keep facts in the names
    of folders. Tensors of numbers with a fraction are float32; ``notes`` says where they were not.
    """

    where: str
    settings: dict[str, Any]
    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A dictionary of another library as one of sonde's.

    ``notes`` says what a user should know of it: what was assumed, and what was folded. ``trained``
    and ``metrics``, the recipe and the held-out figures, are those of sonde's own files.
    ``faults`` is what of its weights needs a look, once it was read from files.
    """

    dictionary: Dictionary
    origin: Origin
    notes: tuple[str, ...] = ()
    trained: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    faults: tuple[Finding, ...] = ()

    @property
    def architecture(self) -> Architecture:
        """The dictionary's."""
        return self.dictionary.architecture

    def noting(self, *notes: str) -> "Loaded":
        """Add notes, those that are empty left out and each once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *filter(None, notes)))))


@dataclass(frozen=True, slots=True)
class HookPoints:
    """Hook points that the user gives, where the files do not name them or wrongly."""

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """What a dictionary makes of rows: every latent, those of several blocks side by side."""

    latents: Float[Tensor, "row latent"]
    targets: tuple[Float[Tensor, "row _"], ...]


Rows: TypeAlias = Sequence[Float[Tensor, "row _"]]


@dataclass(frozen=True, slots=True)
class Format:
    """How one library keeps dictionaries.

    ``finds`` says whether a path holds one, ``load`` reads files, ``read`` makes a dictionary of
    them, ``naive`` is the library's own forward written from its formula. ``make`` and ``save`` are
    there for formats that are written too; ``make`` refuses what the format cannot say.
    ``single_file``: what is written is a file, not a folder.
    """

    name: str
    library: str
    finds: Callable[[Path], bool]
    load: Callable[[Path, str], Content]
    read: Callable[[Content, HookPoints], Loaded]
    naive: Callable[[Content, Rows], Forward]
    make: Callable[[Loaded], Content] | None = None
    save: Callable[[Content, Path], None] | None = None
    single_file: bool = False
