"""What a model would write next behind prompts, and behind tokens put after them."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.models.model import Model


class Following:
    """The log-probabilities that follow the prompts of a batch, and tokens put behind them.

    The prompts run once; what is put behind them runs on copies of their cache, of no more than
    ``token_budget`` tokens at a time.
    """

    def __init__(self, model: Model, prompts: Sequence[Sequence[int]], token_budget: int) -> None:
        self._model = model
        ids, self._real = _left_padded(prompts, model.device)
        self._at_once = max(1, token_budget // ids.shape[1])
        with torch.no_grad():
            out = model.hf(
                input_ids=ids,
                attention_mask=self._real,
                position_ids=(self._real.cumsum(dim=1) - 1).clamp(min=0),
                logits_to_keep=1,
                use_cache=True,
            )
        self._cache = out.past_key_values
        self._first = self._log_probabilities(out.logits)

    def __call__(
        self, rows: Sequence[int], paths: Sequence[tuple[int, ...]]
    ) -> Float[Tensor, "n d_vocab"]:
        """Return what follows each path of tokens, all of one length, behind its row's prompt.

        Raises:
            SondeError: the model gave a NaN.
        """
        if not paths[0]:
            return self._first[list(rows)]
        parts = range(0, len(rows), self._at_once)
        return torch.cat(
            [
                self._behind(rows[part : part + self._at_once], paths[part : part + self._at_once])
                for part in parts
            ]
        )

    def _behind(
        self, rows: Sequence[int], paths: Sequence[tuple[int, ...]]
    ) -> Float[Tensor, "n d_vocab"]:
        index = torch.tensor(rows, device=self._real.device)
        cache = deepcopy(self._cache)
        cache.reorder_cache(index)
        ids = torch.tensor(paths, device=self._real.device)
        before = self._real[index]
        steps = torch.arange(ids.shape[1], device=ids.device)
        with torch.no_grad():
            out = self._model.hf(
                input_ids=ids,
                attention_mask=torch.cat([before, before.new_ones(ids.shape)], dim=1),
                position_ids=before.sum(dim=1, keepdim=True) + steps,
                logits_to_keep=1,
                past_key_values=cache,
                use_cache=True,
            )
        return self._log_probabilities(out.logits)

    def _log_probabilities(self, logits: Tensor) -> Float[Tensor, "n d_vocab"]:
        found = logits[:, -1].double().log_softmax(dim=-1).cpu()
        if bool(found.isnan().any()):
            raise SondeError(
                f"{self._model.info.name} gave NaN or infinite logits.",
                fix="Load it with dtype=float32 or bfloat16, or check it with `sonde doctor`.",
            )
        return found


def _left_padded(
    prompts: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]:
    """Pad on the left, so that what follows a prompt stands right behind it; also what is real."""
    width = max(map(len, prompts))
    ids = np.zeros((len(prompts), width), dtype=np.int64)
    real = np.zeros((len(prompts), width), dtype=bool)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        real[row, width - len(prompt) :] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(real).to(device)
