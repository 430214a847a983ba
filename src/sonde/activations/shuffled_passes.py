"""Forward passes over chunks of a corpus: rows at several hook points, with their token numbers."""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from sonde.activations.budgets import CPU_TOKENS, learn_budget, learnt_budget
from sonde.activations.passes import is_out_of_memory
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.hooks import HookPoint
from sonde.core.positions import Pool
from sonde.models.batch import TokenBatch
from sonde.models.corpus_tokens import TokenCorpus
from sonde.models.forward import Gather, forward
from sonde.models.model import Model
from sonde.models.packed import Packed, packed

# Fixed, not taken from the memory that is free: a resumed run then makes the same passes.
GPU_TOKENS = 16_384


class ChunkRows:
    """All rows of some chunks but their first tokens; ``counts`` marks those that are no separator.

    Tensors are ``[row, width]`` on the model's device.
    """

    def __init__(self, tensors: Mapping[HookPoint, Tensor], token: Tensor, counts: Tensor) -> None:
        self.tensors = tensors
        self.token: Int[Tensor, " row"] = token
        self.counts: Bool[Tensor, " row"] = counts


class ChunkPasses:
    """Runs a model over chunks, as far as the deepest of the hook points."""

    def __init__(
        self,
        model: Model,
        hooks: tuple[HookPoint, ...],
        settings: ShuffleSettings,
        packing: "Packing",
    ) -> None:
        self._model = model
        self._hooks = hooks
        self._settings = settings
        self._packing = packing
        budget = settings.pass_tokens
        if budget is None:
            budget = CPU_TOKENS if model.device.type == "cpu" else GPU_TOKENS
            learnt = learnt_budget(model.info.fingerprint, model.device, len(hooks))
            budget = budget if learnt is None else min(budget, learnt)
        self._tokens = budget

    def first(self, corpus: TokenCorpus) -> int:
        """Return how many tokens at a chunk's start give no rows."""
        return max(self._settings.first, len(corpus.prefix))

    def rows(
        self, corpus: TokenCorpus, chunks: Int[np.ndarray, " chunk"]
    ) -> Iterator[tuple[ChunkRows, int]]:
        """Yield the rows of chunks, pass by pass, and how many chunks are done."""
        done = 0
        while done < len(chunks):
            many = max(1, self._tokens // corpus.context)
            numbers = chunks[done : done + many]
            found = self._fitting(corpus, numbers)
            if found is None:
                continue
            done += len(numbers)
            yield found, done

    def _fitting(self, corpus: TokenCorpus, numbers: np.ndarray) -> ChunkRows | None:
        """Run a pass; None if it ran out of memory, and the next ones are half as large."""
        try:
            return self._pass(corpus, numbers)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or len(numbers) == 1:
                raise
        failed = len(numbers) * corpus.context
        learn_budget(self._model.info.fingerprint, self._model.device, len(self._hooks), failed)
        self._tokens = failed // 2
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _pass(self, corpus: TokenCorpus, numbers: np.ndarray) -> ChunkRows:
        device, first = self._model.device, self.first(corpus)
        lengths = torch.full((len(numbers),), corpus.context, device=device)
        batch = TokenBatch(torch.from_numpy(corpus.chunk(numbers)).to(device), lengths)
        gather = _gather(len(numbers), corpus.context, first, device)
        with self._packing.packed.applied():
            done = forward(self._model, batch, capture=self._hooks, gather=gather)
        token = (numbers[:, None] * corpus.context + np.arange(first, corpus.context)).ravel()
        counts = np.ones(len(token), bool)
        if not self._settings.separators:
            counts = ~corpus.separators(token)
        tensors = {hook: done.activations[hook].flatten(1) for hook in self._hooks}
        return ChunkRows(
            tensors, torch.from_numpy(token).to(device), torch.from_numpy(counts).to(device)
        )


class Packing:
    """A model's weights laid out for the processor, where that pays; made when first used."""

    def __init__(self, model: Model, n_tokens: int) -> None:
        self._model = model
        self._n_tokens = n_tokens

    @cached_property
    def packed(self) -> Packed:
        """The packed weights."""
        return packed(self._model, self._n_tokens)


@lru_cache(maxsize=4)
def _gather(chunks: int, context: int, first: int, device: torch.device) -> Gather:
    items = [(row, range(first, context), Pool.EACH) for row in range(chunks)]
    return Gather.build(items, device)
