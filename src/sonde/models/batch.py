"""A batch of token ids, padded on the right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from sonde.core.errors import SondeError


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids padded on the right, and how many of each row are real.

    A causal model's activations at real tokens don't depend on what stands to their right, so
    such a batch needs no attention mask, and attention may use its fast causal path.
    """

    ids: Int[Tensor, "batch pos"]
    lengths: Int[Tensor, "batch"]


def pad_batch(
    sequences: Sequence[Sequence[int] | np.ndarray],
    pad_id: int = 0,
    device: torch.device | str = "cpu",
) -> TokenBatch:
    """Pad sequences of token ids on the right with ``pad_id`` and put them on a device.

    Raises:
        SondeError: there is no sequence, or one is empty.
    """
    lengths = [len(sequence) for sequence in sequences]
    if not lengths or min(lengths) == 0:
        what = "The batch is empty." if not lengths else f"Row {lengths.index(0)} has no tokens."
        raise SondeError(what, fix="Give at least one token in each row.")
    ids = np.full((len(sequences), max(lengths)), pad_id, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : lengths[row]] = sequence
    return TokenBatch(
        ids=torch.from_numpy(ids).to(device), lengths=torch.tensor(lengths, device=device)
    )
