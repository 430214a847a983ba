"""Conversion from one format to another, with the check that it always runs."""

import copy
import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.findings import faults
from sonde.dictionaries.formats.agreement import ROUNDING, Agreement, agreement, random_rows
from sonde.dictionaries.formats.content import Content, Format, Forward, HookPoints, Loaded, Rows
from sonde.dictionaries.formats.weights import made_like

LARGE = 1 << 27  # weights: from here on float64 would need gigabytes, and float32 compares


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A dictionary as its files hold it, and as sonde's."""

    format: Format
    content: Content
    loaded: Loaded

    def reference(self, rows: Rows) -> Forward:
        """Run the format's own formula."""
        return self.format.naive(self.content, rows)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with the source's own formula: of what, on which rows."""

    compared: str
    rows: str
    found: Agreement


def read_source(path: Path, where: str, given: Format, hooks: HookPoints) -> Source:
    """Read files of a format, and look at the weights.

    Raises:
        SondeError: they are damaged, hold other tensors than the format has, or something that
            sonde has no word for.
    """
    content = given.load(path, where)
    loaded = given.read(content, hooks)
    return Source(given, content, replace(loaded, faults=faults(loaded.dictionary)))


def check_source(source: Source, activations: Sequence[Tensor] = ()) -> tuple[Check, ...]:
    """Hold sonde's dictionary against the formula of the format that it was read from.

    Raises:
        SondeError: they are not one function.
    """
    exact = copy.deepcopy(source.loaded.dictionary).to(_precision(source))
    run = partial(run_dictionary, exact)
    said = "as sonde read it"
    checks = tuple(
        Check(said, name, agreement(source.reference, run, rows))
        for name, rows in _rows(source, activations)
    )
    _refuse_failed(checks, "was not read right")
    return checks


def write_checked(
    source: Source,
    target: Format,
    out: Path,
    activations: Sequence[Tensor] = (),
    *,
    resume: bool = False,
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Write a dictionary in another format, if what was written computes the same.

    Files are written aside, read again, run by the other format's formula and held against the
    source's; then the whole is renamed to ``out``. Returns the checks, and what should be known.
    With ``resume`` it may be at ``out`` already, if it is the same to the byte.

    Raises:
        SondeError: the format cannot hold the dictionary, the two are not one function, something
            (with ``resume``, something else) is at ``out``, or the disk is full.
    """
    assert target.make is not None and target.save is not None
    if out.exists() and not resume:
        raise SondeError(f"{out} is there already.", fix="Give another path, or remove it.")
    content = target.make(source.loaded)
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with full_disk_named(out):
            aside.mkdir(parents=True)
        inside = aside / out.name
        with full_disk_named(out):
            if not target.single_file:
                inside.mkdir()
            target.save(content, inside)
        again = target.load(inside, str(out))
        checks = _check_written(source, target, again, activations)
        _place(inside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return checks, content.notes


def run_dictionary(dictionary: Dictionary, rows: Rows) -> Forward:
    """Run sonde's own dictionary; latents of several blocks lie side by side."""
    found = dictionary(*rows)
    latents = torch.cat([one.dense() for one in found.latents], dim=1)
    return Forward(latents, found.targets)


def ungrouped(source: Source) -> Source:
    """Return the same dictionary without its Matryoshka groups."""
    loaded = source.loaded
    architecture = loaded.architecture.model_copy(update={"groups": ()})
    whole = made_like(architecture, loaded.dictionary.state_dict())
    return replace(source, loaded=replace(loaded, dictionary=whole))


def _check_written(
    source: Source, target: Format, again: Content, activations: Sequence[Tensor]
) -> tuple[Check, ...]:
    said = f"as written for {target.library}"
    checks = tuple(
        Check(said, name, agreement(source.reference, partial(target.naive, again), rows))
        for name, rows in _rows(source, activations)
    )
    _refuse_failed(checks, "would not be written right, so nothing was written")
    return checks


def _rows(source: Source, activations: Sequence[Tensor]) -> list[tuple[str, Rows]]:
    widths, dtype = source.loaded.architecture.d_in, _precision(source)
    given = [x.to(dtype) for x in activations]
    if given and tuple(x.shape[1] for x in given) != widths:
        raise SondeError(
            f"The activations have widths {[x.shape[1] for x in given]}, and the dictionary reads "
            f"{list(widths)}.",
            fix="Give a store of the dictionary's own hook points.",
        )
    found: list[tuple[str, Rows]] = [("random", [x.to(dtype) for x in random_rows(widths)])]
    if given:
        found.append(("activations", given))
    return found


def _precision(source: Source) -> torch.dtype:
    weights = sum(one.numel() for one in source.loaded.dictionary.parameters())
    return torch.float32 if weights >= LARGE else torch.float64


def _refuse_failed(checks: Sequence[Check], what: str) -> None:
    for check in checks:
        found = check.found
        if not found.holds:
            raise SondeError(
                f"The dictionary {what}: {check.compared}, it is another function than by its own "
                f"format's formula. On {check.rows} rows active sets overlap by "
                f"{found.jaccard:.3g} (Jaccard, worst of {found.rows} rows), the cosine is "
                f"{found.cosine:.6f}, largest differences are {found.activations:.2g} of "
                f"activations and {found.targets:.2g} of what is made (up to {ROUNDING:.0e} is "
                "rounding); "
                f"{found.undecided} rows lay on a threshold.",
                fix="Please report it with the files' settings: the format is not what sonde "
                "takes it for.",
            )


def _place(written: Path, out: Path) -> None:
    """Rename what was written to ``out``, unless it is there already."""
    if not out.exists():
        with full_disk_named(out):
            _sync(written)
            written.replace(out)
    elif not _same(written, out):
        raise SondeError(
            f"{out} is there already, and holds other than what would be written.",
            fix="Give another path, or remove it.",
        )


def _same(one: Path, other: Path) -> bool:
    names = [file.relative_to(one) for file in _files(one)]
    return names == [file.relative_to(other) for file in _files(other)] and all(
        filecmp.cmp(one / name, other / name, shallow=False) for name in names
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())


def _sync(path: Path) -> None:
    for one in _files(path):
        with one.open("rb+") as file:
            os.fsync(file.fileno())
