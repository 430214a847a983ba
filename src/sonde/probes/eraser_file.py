"""An eraser as one safetensors file whose header holds everything needed to use it."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sonde import __version__
from sonde.activations.activations import Origin
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.core.hooks import parse_hook_point
from sonde.probes.eraser import Eraser
from sonde.probes.leace import Method

KEY = "sonde"
FORMAT = 1
TENSORS = ("left", "right", "mean")


class EraserHeader(Config):
    """What the header says of an eraser."""

    artifact: str
    format: int
    sonde_version: str
    method: Method
    hook: str
    position: str
    d_model: int
    rank: int
    labels: tuple[str, ...]
    removed: float
    training_data: str
    n_rows: int
    origin: Origin


def save_eraser(eraser: Eraser, path: Path) -> Path:
    """Write an eraser atomically; return the path."""
    header = EraserHeader(
        artifact="eraser",
        format=FORMAT,
        sonde_version=__version__,
        method=eraser.method,
        hook=str(eraser.hook),
        position=eraser.position,
        d_model=len(eraser.mean),
        rank=eraser.rank,
        labels=eraser.labels,
        removed=eraser.removed,
        training_data=eraser.training_data,
        n_rows=eraser.n_rows,
        origin=eraser.origin,
    )
    text = canonical_json(header.model_dump(mode="json"))
    whole = {name: getattr(eraser, name).cpu().contiguous().clone() for name in TENSORS}
    write_atomic(path, lambda aside: save_file(whole, aside, metadata={KEY: text}))
    return path


def load_eraser(path: Path) -> Eraser:
    """Read an eraser.

    Raises:
        SondeError: the file is missing, damaged, not an eraser, or of a later format.
    """
    if not path.is_file():
        raise SondeError(f"{path} does not exist.", fix="Give an eraser's .safetensors file.")
    try:
        with safe_open(path, framework="pt") as file:
            header = _header(path, (file.metadata() or {}).get(KEY))
            left, right, mean = (file.get_tensor(name) for name in TENSORS)
    except (SafetensorError, OSError) as error:
        raise SondeError(
            f"{path} is not a whole safetensors file ({error}).", fix="Copy or make it again."
        ) from None
    width, rank = header.d_model, header.rank
    if (left.shape, right.shape, mean.shape) != ((width, rank), (rank, width), (width,)):
        raise SondeError(
            f"{path}: its tensors do not have the width {width} and the rank {rank} of its header.",
            fix="The file was altered; fit the eraser again.",
        )
    return Eraser(
        method=header.method,
        hook=parse_hook_point(header.hook),
        position=header.position,
        left=left,
        right=right,
        mean=mean,
        labels=header.labels,
        removed=header.removed,
        origin=header.origin,
        training_data=header.training_data,
        n_rows=header.n_rows,
    )


def _header(path: Path, text: str | None) -> EraserHeader:
    try:
        given = json.loads(text or "")
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or given.get("artifact") != "eraser":
        raise SondeError(f"{path} is not an eraser that sonde wrote.", fix="Give one that is.")
    if given.get("format") != FORMAT:
        raise SondeError(
            f"{path} has eraser format {given.get('format')}; this sonde reads {FORMAT}.",
            fix=f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    return validated(EraserHeader, given, where=f"The header of {path}")
