"""Activations made elsewhere: NumPy, PyTorch and safetensors files, with the ids of their rows.

Nothing is unpickled: ``np.load`` runs with ``allow_pickle=False`` and ``torch.load`` with
``weights_only=True``.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import sonde
from sonde.activations.activations import Activations, ActivationsInMemory, RowTable, Skipped
from sonde.activations.foreign_files import read_arrays
from sonde.activations.foreign_settings import ImportSettings
from sonde.activations.origin import Origin
from sonde.activations.saving import save_activations
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.core.hooks import HookPoint, Site, parse_hook_point, parse_site

_LAYER_KEY = re.compile(
    r"(?:(?:resid|acts?|activations?)[_.-])?(?:layers?|blocks?|l|h)?[_.-]?(\d+)", re.IGNORECASE
)
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_ID_KEY = re.compile(r"(?:\w+_)?(?:ids?|uids?|names?|keys?)", re.IGNORECASE)


def import_activations(
    path: str | Path,
    settings: ImportSettings | None = None,
    *,
    ids: Sequence[Any] | np.ndarray | None = None,
    out: str | Path | None = None,
    **keywords: Any,
) -> Activations:
    """Read activations from ``.npz``, ``.npy``, ``.pt`` or ``.safetensors`` with their row ids.

    ``ids`` gives the row ids where the file has none; the settings' keys may be given as keywords.
    With ``out`` they are written there as a store. Rows with NaN or Inf are dropped and listed.

    Raises:
        SondeError: the file is missing, of another kind, or holds pickled objects; an array's
            hook point or the ids are not clear; or numbers of rows differ.
    """
    file = Path(path)
    base = settings.model_dump() if settings is not None else {}
    chosen = validated(ImportSettings, base | keywords, where="import settings")
    arrays = read_arrays(file)
    id_key = _id_key(file, arrays, chosen) if ids is None else ""
    tensors = _tensors(file, arrays, chosen, id_key)
    rows = _common_rows(file, tensors)
    _refuse_mixed(file, tensors)
    names = _names(file, arrays[id_key] if ids is None else ids, rows, chosen.repeated)
    found = _finite(file, {hook: tensor for _, (hook, tensor) in tensors.items()}, names, chosen)
    return found if out is None else save_activations(found, out)


def _id_key(file: Path, arrays: Mapping[str, Any], settings: ImportSettings) -> str:
    if settings.ids:
        if settings.ids not in arrays:
            raise SondeError(
                f"{file} has no array {settings.ids!r} for the row ids.",
                fix=f"It has {', '.join(arrays)}.",
            )
        return settings.ids
    known = set(settings.hooks) | set(settings.ignore)
    found = [key for key in arrays if _ID_KEY.fullmatch(key) and key not in known]
    if len(found) != 1:
        what = f"several arrays of ids: {', '.join(found)}" if found else "no array of row ids"
        raise SondeError(
            f"{file} has {what}.",
            fix=f'Name it with ids="key", or give the ids themselves as a list. It has '
            f"{', '.join(arrays)}.",
        )
    return found[0]


def _tensors(
    file: Path, arrays: Mapping[str, Any], settings: ImportSettings, id_key: str
) -> dict[str, tuple[HookPoint, Tensor]]:
    """Give each array its hook point."""
    unknown = (set(settings.hooks) | set(settings.ignore)) - set(arrays)
    if unknown:
        raise SondeError(
            f"{file} has no array {sorted(unknown)[0]!r}.", fix=f"It has {', '.join(arrays)}."
        )
    found: dict[str, tuple[HookPoint, Tensor]] = {}
    for key, value in arrays.items():
        if key == id_key or key in settings.ignore:
            continue
        hook = _hook(file, key, settings)
        other = next((name for name, (point, _) in found.items() if point == hook), None)
        if other is not None:
            raise SondeError(
                f"{file}: arrays {other!r} and {key!r} are both at {hook}.",
                fix="Give each its hook point with hooks={key: hook point}.",
            )
        found[key] = hook, _matrix(file, key, value, hook)
    if not found:
        raise SondeError(f"{file} holds no activations.", fix=f"It has {', '.join(arrays)}.")
    return found


def _hook(file: Path, key: str, settings: ImportSettings) -> HookPoint:
    if key in settings.hooks:
        return parse_hook_point(settings.hooks[key])
    if key.startswith("blocks."):
        return parse_hook_point(key)
    match = _LAYER_KEY.fullmatch(key)
    if match is None:
        raise SondeError(
            f"{file}: it is not clear where {key!r} was read.",
            fix=f'Say so with hooks={{"{key}": "blocks.<layer>.<site>"}}, or leave it out with '
            f'ignore=["{key}"].',
        )
    return HookPoint(int(match[1]), parse_site(settings.site))


def _matrix(file: Path, key: str, value: Any, hook: HookPoint) -> Tensor:
    tensor = _tensor(value)
    wanted = 3 if hook.site is Site.HEAD_OUT else 2
    if tensor is None or tensor.dtype not in FLOATS or tensor.ndim != wanted:
        known = isinstance(value, np.ndarray | Tensor)
        kind = f"{value.dtype} of shape {list(value.shape)}" if known else type(value).__name__
        shape = "[row, n_heads, d_head]" if wanted == 3 else "[row, d_model]"
        raise SondeError(
            f"{file}: {key!r} is {kind}, and activations at {hook} are floats of shape {shape}.",
            fix=f'Leave it out with ignore=["{key}"], or save it so.',
        )
    if not tensor.numel():
        raise SondeError(f"{file}: {key!r} is empty: its shape is {list(tensor.shape)}.")
    return tensor


def _tensor(value: Any) -> Tensor | None:
    """Return numbers as a dense tensor without gradient, None where they are something else."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), copy=False))
    return value.detach().to_dense() if isinstance(value, Tensor) else None


def _common_rows(file: Path, tensors: Mapping[str, tuple[HookPoint, Tensor]]) -> int:
    counts = {key: len(tensor) for key, (_, tensor) in tensors.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{key} {count:,}" for key, count in counts.items())
        raise SondeError(
            f"{file}: the arrays have different numbers of rows: {listed}.",
            fix="Every hook point needs the same rows in the same order.",
        )
    return next(iter(counts.values()))


def _refuse_mixed(file: Path, tensors: Mapping[str, tuple[HookPoint, Tensor]]) -> None:
    """Refuse arrays that no one model in one dtype can have given.

    Every site but the heads' has the width of the residual stream; the heads' is another.
    """
    shapes: dict[bool, dict[str, str]] = {True: {}, False: {}}
    dtypes: dict[str, str] = {}
    for key, (hook, tensor) in tensors.items():
        width = "×".join(map(str, tensor.shape[1:]))
        shapes[hook.site is Site.HEAD_OUT][key] = f"has width {width}"
        dtypes[key] = f"is {str(tensor.dtype).removeprefix('torch.')}"
    for found in (*shapes.values(), dtypes):
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{key!r} {words}" for key, words in found.items())
            raise SondeError(
                f"{file}: the arrays do not come from one model in one dtype: {listed}.",
                fix="Import what belongs together, and leave the rest out with ignore=[…].",
            )


def _names(file: Path, given: Any, rows: int, repeated: bool) -> np.ndarray:
    values = given.tolist() if isinstance(given, np.ndarray | Tensor) else list(given)
    names = [_name(file, row, value) for row, value in enumerate(values)]
    if len(names) != rows:
        raise SondeError(
            f"{file}: there are {len(names):,} ids for {rows:,} rows.",
            fix="Give one id for each row, in the order of the rows.",
        )
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        first = seen.setdefault(name, row)
        if first != row and not repeated:
            raise SondeError(
                f"{file}: rows {first} and {row} share the id {name!r}.",
                fix="Choose repeated=True if several rows belong to one example.",
            )
    return np.array(names, dtype=np.str_)


def _name(file: Path, row: int, value: Any) -> str:
    """Return an id as text; 12.0 is 12, because a column with a gap turns into such numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = value.decode() if isinstance(value, bytes) else str(value)
    if isinstance(value, list | None) or name.strip() in ("", "nan"):
        raise SondeError(
            f"{file}: the id of row {row} is {value!r}.",
            fix="Give one id for each row, as a list of texts or whole numbers.",
        )
    return name


def _finite(
    file: Path, tensors: dict[HookPoint, Tensor], names: np.ndarray, settings: ImportSettings
) -> ActivationsInMemory:
    """Drop rows that are not finite, and build the result."""
    kept = torch.stack(
        [tensor.flatten(1).abs().amax(1).isfinite() for tensor in tensors.values()]
    ).all(0)
    skipped = tuple(
        Skipped(str(names[row]), "non-finite", f"row {row} of {file.name}")
        for row in np.flatnonzero(~kept.numpy())
    )
    if not bool(kept.any()):
        raise SondeError(f"{file}: every row holds NaN or Inf.")
    if skipped:
        tensors = {hook: tensor[kept] for hook, tensor in tensors.items()}
        names = names[kept.numpy()]
    hooks = sorted(tensors, key=lambda hook: hook.depth)
    origin = Origin(
        model=settings.model,
        revision=settings.revision,
        dtype=str(tensors[hooks[0]].dtype).removeprefix("torch."),
        data_fingerprint=f"file:{sha256_file(file)[:16]}",
        hooks=tuple(map(str, hooks)),
        positions=(settings.position,) if settings.position else (),
        sonde_version=sonde.__version__,
    )
    unknown = np.full(len(names), -1, np.int32)
    rows = RowTable(
        example=names,
        position=np.full(len(names), settings.position),
        token=unknown,
        token_id=unknown,
        n_tokens=unknown,
        start=unknown,
        end=unknown,
        group=np.full(len(names), ""),
    )
    return ActivationsInMemory(tensors, rows, origin, skipped)
