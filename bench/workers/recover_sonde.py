"""sonde: its training on made activations."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from recovery_task import Course

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.sparsity import BatchTopK, JumpReLU, Sparsity, TopK
from sonde.dictionaries.training import AuxK, Training, train
from sonde.dictionaries.training.course import Running

HOOK = parse_hook_point("blocks.0.resid_post")


@dataclass(frozen=True, eq=False)
class Made:
    """A ``RowSource`` of the race's batches."""

    course: Course
    fingerprint: str = "made"

    @property
    def widths(self) -> dict[HookPoint, int]:
        return {HOOK: self.course.x.shape[1]}

    @property
    def batch(self) -> int:
        return self.course.batch

    @property
    def n_batches(self) -> int:
        return self.course.steps

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        token = torch.arange(self.batch)
        for x in self.course.batches(start):
            yield RowBatch({HOOK: x}, token)


course = Course()
job = course.job
variance = float(course.x.var(dim=0).sum())
# SAELens' penalty stands beside a squared error, and sonde's beside the share of the variance.
jump = JumpReLU(threshold=job["threshold"], bandwidth=job["bandwidth"], l0=job["l0"] / variance)
kinds: dict[str, tuple[Sparsity, tuple[int, ...]]] = {
    "TopK": (TopK(k=job["k"]), ()),
    "BatchTopK": (BatchTopK(k=job["k"]), ()),
    "JumpReLU": (jump, ()),
    "Matryoshka": (BatchTopK(k=job["k"]), tuple(job["groups"])),
}
training = Training(
    lr=job["lr"],
    decay="linear",
    dead_after=job["dead_steps"] * course.batch,
    bias="mean",
    seed=job["seed"],
)
# Each kind is told what acts on it; AuxK has the weight that SAELens gives it.
counted = training.model_copy(update={"aux": AuxK(weight=1.0)})
penalised = training.model_copy(update={"penalty_warmup": job["penalty_warmup"]})
decoders = {}
for kind in job["kinds"]:
    sparsity, groups = kinds[kind]
    asked = DictionarySettings(
        sources=(str(HOOK),), d_sae=job["d_sae"], sparsity=sparsity, groups=groups
    )
    recipe = penalised if kind == "JumpReLU" else counted
    made = train(Made(course), {kind: asked}, recipe, running=Running(progress=False))
    decoders[kind] = made[kind].dictionary.parts[0].decoder
course.answer(decoders)
