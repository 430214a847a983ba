"""Extraction: from a model and a data set to activations, in memory or on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sonde.activations.activations import Activations, ActivationsInMemory
from sonde.activations.passes import refuse_nothing
from sonde.activations.settings import ExtractSettings, extract_settings
from sonde.activations.store import ActivationStore
from sonde.activations.streaming import ActivationStream, make_job, stream
from sonde.activations.writer import write_store
from sonde.core.edits import Edit
from sonde.core.hooks import HookPoint
from sonde.data.examples import Example
from sonde.models.model import Model


def extract(
    model: Model,
    data: Sequence[Example] | Sequence[str],
    settings: ExtractSettings | None = None,
    *,
    out: str | Path | None = None,
    edits: Sequence[Edit] = (),
    progress: bool = True,
    **keywords: Any,
) -> Activations:
    """Extract activations of all examples at all hook points and positions in one pass.

    ``data`` are examples or plain texts; the settings' keys may be given as keywords (``hooks``,
    ``layers``, ``positions`` …), which override ``settings``. Without ``out`` the activations stay
    in memory, rows in the order of the data. With ``out`` they are written to that folder as an
    :class:`ActivationStore`, and the same call goes on where an interrupted one stopped.

    Every example ends as rows or in ``skipped`` with its reason. Rows with NaN or Inf at any hook
    point are dropped and listed there.

    Raises:
        SondeError: the data, a hook point, a layer, a position or a setting does not fit; too many
            rows are not finite; the store at ``out`` holds something else, is damaged or in use;
            the disk is full; or nothing is left to extract.
    """
    if out is None:
        found = in_memory(stream(model, data, settings, edits=edits, progress=progress, **keywords))
    else:
        chosen = extract_settings(settings, keywords)
        job, origin = make_job(model, data, chosen, edits)
        write_store(Path(out), job, origin, progress=progress)
        found = ActivationStore.open(out)
    return found


def in_memory(batches: ActivationStream) -> ActivationsInMemory:
    """Collect a stream into tensors on the CPU, rows in the order of the data.

    Raises:
        SondeError: no row is left.
    """
    tensors: dict[HookPoint, Tensor] = {}
    kept = np.zeros(batches.n_rows, bool)
    for batch in batches:
        where = torch.from_numpy(batch.numbers)
        kept[batch.numbers] = True
        for hook, tensor in batch.tensors.items():
            if hook not in tensors:
                shape = (batches.n_rows, *tensor.shape[1:])
                tensors[hook] = torch.empty(shape, dtype=tensor.dtype)
            tensors[hook][where] = tensor.detach().cpu()
    refuse_nothing(int(kept.sum()), batches.skipped)
    if not kept.all():
        mask = torch.from_numpy(kept)
        tensors = {hook: tensor[mask] for hook, tensor in tensors.items()}
    prepared = batches.job.prepared
    return ActivationsInMemory(
        tensors,
        prepared.table(np.flatnonzero(kept)),
        batches.origin,
        batches.skipped,
        prepared.truncated,
    )
