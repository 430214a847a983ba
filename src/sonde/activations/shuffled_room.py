"""How wide rows of a model are, and what the buffer of a training on them holds."""

from collections.abc import Sequence

import torch

from sonde.activations.shuffled_buffer import Room
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.hooks import HookPoint, Site
from sonde.models.model import Model


def hook_widths(model: Model, hooks: Sequence[HookPoint]) -> dict[HookPoint, int]:
    """Return how wide rows are at each hook point; heads lie side by side."""
    info = model.info
    return {
        hook: info.n_heads * info.d_head if hook.site is Site.HEAD_OUT else info.d_model
        for hook in hooks
    }


def buffer_room(
    settings: ShuffleSettings,
    widths: dict[HookPoint, int],
    each: int,
    rows: int | None,
    dtype: torch.dtype,
) -> Room:
    """Return what the buffer of a training holds, known before anything runs.

    ``each`` are the rows of a chunk, ``rows`` those of a round where fewer are there than the
    settings ask for.
    """
    whole = max(1, settings.round_rows // each) * each
    return Room(widths, whole if rows is None else min(rows, whole), settings.delay + 1, dtype)
