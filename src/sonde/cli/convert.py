"""``sonde convert``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from sonde.cli.console import heading, say, table
from sonde.cli.show_dictionary import say_faults
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.dictionaries.formats.card import Published, card
from sonde.dictionaries.formats.content import Format, HookPoints
from sonde.dictionaries.formats.converting import (
    Check,
    Source,
    check_source,
    ungrouped,
    write_checked,
)
from sonde.dictionaries.formats.hub import Repository, named, push
from sonde.dictionaries.formats.opening import opened
from sonde.dictionaries.formats.table import format_called

ROWS = 256  # of a store that are compared


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks of a conversion, beside the two paths."""

    to: str
    from_: str = ""
    hooks: HookPoints = field(default_factory=HookPoints)
    activations: Path | None = None
    drop_groups: bool = False
    push: str = ""
    metrics: Path | None = None


def convert(source: str, out: Path, wish: Wish) -> None:
    """Convert a dictionary, print what was compared, and publish it where asked.

    Raises:
        SondeError: the source cannot be read, the format cannot hold it, the two would not be one
            function, or the hub refuses.
    """
    target = format_called(wish.to, written=True)
    repository = _repository(wish.push)
    metrics = _metrics(wish.metrics)
    _check_out(out, target)
    read = opened(source, wish.from_, wish.hooks)
    rows = _activations(wish.activations, read)
    _say_what(read)
    there = out.exists()
    checks = check_source(read, rows)
    if wish.drop_groups:
        read = ungrouped(read)
    written, notes = write_checked(read, target, out, rows, resume=repository is not None)
    heading(f"Held against the formula of {read.format.library}")
    _print_checks((*checks, *written))
    for note in notes:
        say(f"  {note}")
    say(f"{'There already, the same' if there else 'Written'}: {out}")
    if repository is not None:
        file = out.name if out.is_file() else ""
        published = Published(repository, target.name, file, metrics)
        address = push(out, repository, card(read.loaded, published, written))
        say(f"Published: {address}")


def _say_what(source: Source) -> None:
    architecture = source.loaded.architecture
    say(
        f"{source.format.library}: {architecture.name}, {architecture.sparsity.kind}, "
        f"{architecture.d_sae:,} latents"
    )
    say(f"  reads {', '.join(architecture.sources)}")
    if not architecture.is_autoencoder:
        say(f"  writes {', '.join(architecture.targets)}")
    say_faults(source.loaded.faults)


def _print_checks(checks: Sequence[Check]) -> None:
    rows = [
        (
            check.compared,
            f"{check.found.rows} {check.rows}",
            f"{check.found.l0:.1f}",
            f"{check.found.jaccard:.3f}",
            f"{check.found.cosine:.6f}",
            f"{check.found.activations:.1e}",
            f"{check.found.targets:.1e}",
        )
        for check in checks
    ]
    columns = ("the dictionary", "rows", "L0", "Jaccard", "cosine", "activations", "reconstruction")
    table(columns, rows, numbers=5)
    left_out = sum(check.found.undecided for check in checks)
    if left_out:
        say(f"  {left_out} rows in which rounding decides what is active were left out.")


def _check_out(out: Path, target: Format) -> None:
    if target.single_file and out.suffix != ".safetensors":
        raise SondeError(
            f"sonde's format is one file, and {out} does not end in .safetensors.",
            fix=f"Write {out}.safetensors.",
        )


def _repository(text: str) -> Repository | None:
    if not text:
        return None
    found = named(text)
    if found is None:
        raise SondeError(f"--push {text!r} is not a repository.", fix="Write owner/name.")
    return found


def _metrics(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    try:
        return TypeAdapter(dict[str, float]).validate_python(read_json(path))
    except ValidationError:
        raise SondeError(
            f"{path} is not a mapping of metrics to numbers.", fix='Write {"fvu": 0.2, "l0": 32}.'
        ) from None


def _activations(store: Path | None, source: Source) -> list[Tensor]:
    """Return the first rows of a store at the dictionary's sources, heads side by side."""
    if store is None:
        return []
    from sonde.activations.store import ActivationStore

    hooks = list(source.loaded.architecture.sources)
    parts = ActivationStore.open(store).batches(hooks, ROWS)
    first = next(iter(parts), None)
    if first is None:
        raise SondeError(f"The store {store} has no rows.")
    found = {str(hook): rows.flatten(start_dim=1) for hook, rows in first.tensors.items()}
    return [found[hook] for hook in hooks]
