"""sonde: its loop of training, one dictionary."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from dictionary_task import Rounds

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.training import AuxK, Training
from sonde.dictionaries.training.start import Start
from sonde.dictionaries.training.trainee import Trainee
from sonde.dictionaries.training.trainer import Rhythm, Trainer

SOURCE, TARGET = "blocks.15.resid_mid", "blocks.15.mlp_out"


@dataclass(frozen=True, eq=False)
class Given:
    """A ``RowSource`` of the race's batches."""

    rounds: Rounds
    widths: dict[HookPoint, int]
    fingerprint: str = "given"

    @property
    def batch(self) -> int:
        return self.rounds.batch

    @property
    def n_batches(self) -> int:
        return self.rounds.total

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        token = torch.arange(self.batch)
        for rows in self.rounds.batches():
            yield RowBatch(dict(zip(self.widths, rows, strict=False)), token)


rounds = Rounds()
job, width = rounds.job, rounds.x.shape[1]
transcodes = "y" in rounds.data
hooks = [parse_hook_point(SOURCE), *([parse_hook_point(TARGET)] if transcodes else [])]
kind = BatchTopK if job["by_batch"] else TopK
DENSE = {
    "relu": ReLU(l1=1e-3),
    "jumprelu": JumpReLU(l0=1e-3, threshold=0.1, bandwidth=0.2),
    "gated": Gated(l1=1e-3),
}
architecture = Architecture(
    sources=(SOURCE,),
    targets=(TARGET,) if transcodes else (),
    d_in=(width,),
    d_out=(width,) if transcodes else (),
    d_sae=job["d_sae"],
    sparsity=DENSE[job["dense"]] if job["dense"] else kind(k=job["k"], by_norm=job["free"]),
    groups=tuple(job["groups"]),
    skip=transcodes,
)
training = Training(
    lr=job["lr"],
    decay="linear",
    decay_steps=rounds.total - (1 if job["free"] else 0),  # as SAELens' fall begins
    aux=AuxK() if job["aux"] else None,
    dead_after=1 if job["aux"] else 10**9,
    decoder_norm="free" if job["free"] else "unit",
    clip=job["clip"],
    compile=job["compile"],
)
data = [rounds.x, rounds.y][: len(hooks)]
start = Start(
    dict.fromkeys(hooks, 1.0),
    {hook: float(one.var(dim=0).sum()) for hook, one in zip(hooks, data, strict=True)},
    {hook: one[: rounds.batch].mean(dim=0) for hook, one in zip(hooks, data, strict=True)},
    {hook: one[: rounds.batch] for hook, one in zip(hooks, data, strict=True)},
)
trainee = Trainee.fresh(architecture, training, start, rounds.total)
if not transcodes:
    (block,) = trainee.dictionary.parts
    with torch.no_grad():
        block.encoder.copy_(rounds.data["directions"])
        block.decoder.copy_(rounds.data["directions"])
        block.bias.copy_(rounds.data["bias"])
source = Given(rounds, dict.fromkeys(hooks, width))
Trainer(source, start, {"sae": trainee}, Rhythm(rounds.total)).run(progress=False)
# SAELens' trainable BatchTopK chooses by batch when it is asked afterwards, so sonde does here too.
whole = trainee.dictionary.train(job["by_batch"])
rounds.finish(lambda x: whole(x).targets[0])
