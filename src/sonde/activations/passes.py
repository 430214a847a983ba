"""The passes of a plan: forward, gather, drop what is not finite, split what does not fit."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sonde.activations.activations import RowTable, Skipped
from sonde.activations.budgets import learn_budget
from sonde.activations.plan import BatchPlan
from sonde.activations.prepare import Prepared
from sonde.activations.settings import ExtractSettings
from sonde.core.edits import Edit
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.models.forward import Gather, forward, pad_batch
from sonde.models.model import Model

OUT_OF_MEMORY = ("not enough memory", "DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")
Dropped = tuple[int, str]  # the number of a row, and the first hook point where it is not finite


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What an extraction does, apart from the order it does it in."""

    model: Model
    prepared: Prepared
    hooks: tuple[HookPoint, ...]
    edits: tuple[Edit, ...]
    settings: ExtractSettings


@dataclass(frozen=True, slots=True, eq=False)
class ActivationBatch:
    """Activations of one pass, ``[row, d_model]`` for each hook point, on the model's device.

    ``numbers`` are the rows' numbers among all rows of the data, in input order. ``tokens`` counts
    the tokens of the pass, padding apart.
    """

    tensors: Mapping[HookPoint, Tensor]
    numbers: np.ndarray
    dropped: tuple[Dropped, ...]
    tokens: int
    prepared: Prepared

    @property
    def rows(self) -> RowTable:
        """The row table of this batch (made anew at each call)."""
        return self.prepared.table(self.numbers)


@dataclass(slots=True, eq=False)
class Passes:
    """Runs the batches of a plan, and changes the plan where a batch does not fit in memory.

    ``on_replan`` sees a changed plan before the run goes on, so that it can be written down.
    """

    job: Job
    plan: BatchPlan
    on_replan: Callable[[BatchPlan], None] = lambda _: None
    nonfinite: Counter[str] = field(default_factory=Counter[str])

    def __iter__(self) -> Iterator[ActivationBatch]:
        """Yield every batch of the plan."""
        for shard in range(len(self.plan.shards)):
            yield from self.shard(shard)

    def shard(self, shard: int) -> Iterator[ActivationBatch]:
        """Yield the batches of one shard.

        Raises:
            SondeError: more rows hold NaN or Inf than the settings allow.
        """
        number = self.plan.batches_of_shard(shard)[0]
        while number < self.plan.batches_of_shard(shard)[1]:
            members = self.plan.batch(number)
            if len(members):
                tensors = self._fitting(members)
                if tensors is None:
                    self._replan(number)
                    continue
                yield self._finite(members, tensors)
            number += 1

    def _fitting(self, members: np.ndarray) -> dict[HookPoint, Tensor] | None:
        """Run a pass; None if it ran out of memory. The failed pass's tensors are then released."""
        try:
            return self._pass(members)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.job.model.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _pass(self, members: np.ndarray) -> dict[HookPoint, Tensor]:
        job = self.job
        device = job.model.device
        batch = pad_batch(job.prepared.ids_of(members), 0, device)
        gather = Gather.build(job.prepared.items_of(members), device)
        done = forward(job.model, batch, capture=job.hooks, gather=gather, edits=job.edits)
        name = job.settings.dtype
        if name is None:
            return dict(done.activations)
        dtype = getattr(torch, name)
        return {hook: tensor.to(dtype) for hook, tensor in done.activations.items()}

    def _replan(self, number: int) -> None:
        failed = int(self.plan.padded[number])
        info, device = self.job.model.info, self.job.model.device
        learn_budget(info.fingerprint, device, len(self.job.hooks), failed)
        self.plan = self.plan.without_memory(
            number, f"its {failed:,} tokens do not fit in the memory of {device} even alone"
        )
        self.on_replan(self.plan)

    def _finite(self, members: np.ndarray, tensors: dict[HookPoint, Tensor]) -> ActivationBatch:
        prepared = self.job.prepared
        numbers = prepared.rows_of(members)
        tokens = int(prepared.lengths[members].sum())
        finite = torch.stack([_finite_rows(tensors[hook]) for hook in self.job.hooks])
        kept = finite.all(0)
        if bool(kept.all()):
            return ActivationBatch(tensors, numbers, (), tokens, prepared)
        first_bad = finite.int().argmin(0).cpu().numpy()  # hook points lie in order of depth
        bad = np.flatnonzero(~kept.cpu().numpy())
        dropped = tuple((int(numbers[row]), str(self.job.hooks[first_bad[row]])) for row in bad)
        self.count_nonfinite(dropped)
        tensors = {hook: tensor[kept] for hook, tensor in tensors.items()}
        numbers = np.delete(numbers, bad)
        return ActivationBatch(tensors, numbers, dropped, tokens, prepared)

    def count_nonfinite(self, dropped: Sequence[Dropped]) -> None:
        """Count dropped rows.

        Raises:
            SondeError: they are more than the share that the settings allow.
        """
        self.nonfinite.update(hook for _, hook in dropped)
        found, rows = self.nonfinite.total(), self.job.prepared.n_rows
        if found <= self.job.settings.max_nonfinite * rows:
            return
        places = ", ".join(f"{hook} ({count})" for hook, count in self.nonfinite.most_common(5))
        raise SondeError(
            f"{found:,} of {rows:,} rows hold NaN or Inf, more than max_nonfinite = "
            f"{self.job.settings.max_nonfinite:g} allows. They begin at {places}.",
            fix=_nonfinite_advice(self.job),
        )


def _nonfinite_advice(job: Job) -> str:
    """float16 overflows at 65,504, which massive activations exceed; the other types do not."""
    kept = job.settings.dtype or str(job.model.dtype).removeprefix("torch.")
    if kept == "float16" or job.model.dtype == torch.float16:
        return "float16 ends at 65,504: load the model and keep activations in bfloat16 or float32."
    return (
        "Load the model with dtype=float32 (or bfloat16), check its weights with `sonde doctor`, "
        "or raise max_nonfinite to drop such rows."
    )


def _finite_rows(tensor: Tensor) -> Tensor:
    """Return which rows are finite; the largest magnitude of a row is NaN or Inf if any entry is.

    A row of width 0 does not occur.
    """
    return tensor.flatten(1).abs().amax(1).isfinite()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a CPU or a GPU."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in OUT_OF_MEMORY)


def skipped_of(
    prepared: Prepared, plan: BatchPlan, dropped: Sequence[Dropped]
) -> tuple[Skipped, ...]:
    """List everything that gave no activations: at rendering, for memory, for NaN or Inf.

    Dropped rows are listed once for each example and position.
    """
    listed = list(prepared.skipped)
    for example, detail in sorted(plan.too_big.items()):
        listed.append(Skipped(prepared.examples[example].id, "out of memory", detail))
    columns = prepared.row_columns
    tokens: dict[tuple[int, int], list[Dropped]] = {}
    for row, hook in sorted(dropped):
        key = int(columns["example"][row]), int(columns["position"][row])
        tokens.setdefault(key, []).append((row, hook))
    for (example, position), rows in tokens.items():
        row, hook = rows[0]
        listed.append(
            Skipped(
                prepared.examples[example].id,
                "non-finite",
                f"{prepared.positions[position]}: {len(rows)} rows, the first at token "
                f"{int(columns['token'][row])} from {hook} on",
            )
        )
    return tuple(listed)


def refuse_nothing(n_rows: int, skipped: Sequence[Skipped]) -> None:
    """Refuse a result without rows.

    Raises:
        SondeError: there is no row; the message counts the reasons.
    """
    if not n_rows:
        reasons = Counter(each.reason for each in skipped)
        raise SondeError(
            "No example gave activations: "
            + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        )
