"""From vectors, or what a search found, to a file for another tool; the stage and the command."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError
from sonde.core.words import in_words, true_minus
from sonde.experiments.stage import DONE
from sonde.vectors.exports.settings import ExportUnit, Selection

if TYPE_CHECKING:
    from sonde.steering.results import SteeringResults
    from sonde.vectors.exports.contents import ExportedFile
    from sonde.vectors.vector_set import VectorSet

RANDOM = "random"


@dataclass(frozen=True, slots=True)
class ToExport:
    """Vectors for a file, one a layer, and their coefficient; ``notes`` for whoever uses it."""

    vectors: "VectorSet"
    coefficient: float
    notes: tuple[str, ...] = ()


def of_vectors(
    vectors: "VectorSet", selection: Selection, coefficient: float | None = None
) -> ToExport:
    """Choose vectors of a set; without a coefficient they count one typical norm.

    Raises:
        SondeError: as ``sonde.vectors.exports.choosing.chosen_for_export``.
    """
    from sonde.vectors.exports.choosing import chosen_for_export

    return ToExport(
        chosen_for_export(vectors, selection), 1.0 if coefficient is None else coefficient
    )


def of_search(
    found: "SteeringResults",
    vectors: "VectorSet",
    selection: Selection,
    coefficient: float | None = None,
) -> ToExport:
    """Choose what a search found best under its limit, of the vectors that a selection means.

    Vectors that were steered together at several layers are exported together. A coefficient that
    is given takes the place of the one that was found.

    Raises:
        SondeError: the search did not add its vectors, none of them fits, nothing stays within the
            limit, or the set lacks the vector.
    """
    settings = found.settings
    if settings.kind != "add":
        raise SondeError(
            f"The search made the edit {settings.kind!r}; other tools add, which is not the same.",
            fix="Search with `kind: add`, or export from the vectors with a coefficient.",
        )
    arms = _arms(found, selection)
    name, best = _best(found, arms, coefficient)
    steered, known = found.vector(name), {one.name: one for one in vectors}
    absent = [member for member in steered.members if member not in known]
    if absent:
        raise SondeError(
            f"{in_words(absent)} is not among the vectors: the search drew it as a control.",
            fix=f"Select one of {in_words(list(vectors.kinds))}.",
        )
    placed = zip(steered.members, steered.places, strict=True)
    members = tuple(known[one].with_typical_norm(place.typical_norm) for one, place in placed)
    chosen, notes = type(vectors)(members), _notes(found, name)
    if coefficient is None:
        return ToExport(chosen, best, (_measured(found, arms), *notes))
    return ToExport(chosen, coefficient, notes)


def _arms(found: "SteeringResults", selection: Selection) -> list[int]:
    """Return the steered arms that a selection means; random vectors only where they are named."""
    if selection.layer in ("best", "all"):
        raise SondeError(
            f"A search chose its layers itself, and `layer` is {selection.layer!r}.",
            fix="Leave it out, or name the blocks that were steered: layer=15.",
        )
    layer: Any = selection.layer
    arms = found.select(
        method=selection.method,
        cleaning=selection.cleaning,
        position=selection.position,
        layer=layer[0] if layer and len(layer) == 1 else layer,
    )
    controls = found.select(method=RANDOM) if selection.method != RANDOM else []
    kept = [arm for arm in arms if arm not in controls]
    if not kept:
        raise SondeError(
            f"No vector with {selection} was searched.",
            fix=f"Were: {', '.join(one.name for one in found.vectors)}.",
        )
    return kept


def _best(
    found: "SteeringResults", arms: Sequence[int], coefficient: float | None
) -> tuple[str, float]:
    """Return the name of the vector to export, and the coefficient that the search chose."""
    best = found.best(arms)
    if best.found and best.arm.coefficient is not None:
        return best.arm.vector, best.arm.coefficient
    names = list(dict.fromkeys(found.arms[arm].vector for arm in arms))
    if coefficient is None or len(names) > 1:
        raise SondeError(
            f"No coefficient of {in_words(names)} stays within the limit.",
            fix="Name one vector and a coefficient of your own.",
        )
    return names[0], coefficient


def _measured(found: "SteeringResults", arms: Sequence[int]) -> str:
    """Say what the search measured of its choice, on questions that had no part in it."""
    change = found.best(arms).change.interval
    value, low, high = (f"{100 * one:+.1f}" for one in (change.value, change.low, change.high))
    sure = "" if change.low > 0 or change.high < 0 else ", which may be none at all"
    return true_minus(
        f"At this coefficient, the best of {len(arms)}, {found.task.trait} changed by {value} "
        f"[{low}, {high}] points of 100 from the unsteered texts{sure}."
    )


def _notes(found: "SteeringResults", name: str) -> tuple[str, ...]:
    """Say how the search steered where a tool that is given the file will do otherwise."""
    settings, steered = found.settings, found.vector(name)
    notes: list[str] = []
    if settings.when != "both":
        window = f" in the window {list(settings.steps)}" if settings.steps else ""
        notes.append(
            f"The search steered {settings.when} tokens alone{window}; a tool that adds at every "
            "token does more."
        )
    if found.gate is not None:
        notes.append(f"The search steered only {found.gate}; the file has no gate.")
    return (*notes, *((steered.note,) if steered.note else ()))


def write_export(chosen: ToExport, path: Path, *, to: str, unit: ExportUnit) -> "ExportedFile":
    """Write the file, and return what it holds as read back from it.

    Raises:
        SondeError: the format is unknown, the ending is another's, the path lies in the folder of a
            finished result, or the vectors do not fit.
    """
    from sonde.vectors.exports.contents import read_export
    from sonde.vectors.exports.formats import export_vectors, format_named

    ending = format_named(to).ending
    if path.suffix != ending:
        raise SondeError(
            f"{path} does not end in {ending}, as files of the format {to} do.",
            fix=f"Write {path.with_suffix(ending)}.",
        )
    if any((folder / DONE).is_file() for folder in path.resolve().parents):
        raise SondeError(
            f"{path} lies in the folder of a finished result, which nothing may be added to.",
            fix="Choose another folder.",
        )
    export_vectors(chosen.vectors, path, to=to, unit=unit, coefficient=chosen.coefficient)
    return read_export(path)


def export_table(exported: "ExportedFile", notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a file holds as a table: a line a block, with its strength in both units."""
    directions = exported.directions
    said = (f"Unit: {exported.unit}.", f"Layers: {exported.layers}.", *notes)
    return {
        "title": f"{exported.path.name}: {exported.about.tools}",
        "columns": ["block", "vector", "coefficient", "typical norm", "length"],
        "rows": [
            [
                str(one.layer),
                one.vector,
                _number(one.coefficient),
                _number(one.typical_norm),
                _number(one.length),
            ]
            for one in directions
        ],
        "note": " ".join(said),
    }


def _number(value: float | None) -> str:
    return "–" if value is None else true_minus(f"{value:.4g}")
