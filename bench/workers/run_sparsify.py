"""sparsify: its trainer, with a module that gives rows in the place of a model."""

from tempfile import TemporaryDirectory

import torch
from dictionary_task import Rounds
from sparsify import SaeConfig, TrainConfig, Trainer
from torch import nn

NEVER, AT_ONCE = 10**9, 0


class Given(nn.Module):
    """Takes rows, and returns what was given for them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.target


class Model(nn.Module):
    """Reads a batch number, and shows the rows of that batch to its one module."""

    def __init__(self, rounds: Rounds) -> None:
        super().__init__()
        self.given = Given()
        self.device = torch.device("cpu")
        self.dummy_inputs = {"input_ids": torch.zeros(1, 1, dtype=torch.long)}
        self.given.target = rounds.y[None, :1]
        self._first, self._batches = rounds.x[None, :1], None
        self._rounds = rounds

    @property
    def base_model(self) -> nn.Module:
        return self

    def begin(self) -> None:
        self._batches = self._rounds.batches()

    def forward(self, input_ids: torch.Tensor) -> None:
        x = self._first
        if self._batches is not None:
            x, y = (part[None] for part in next(self._batches))
            self.given.target = y
        self.given(x)


rounds = Rounds()
job, total = rounds.job, rounds.total
transcodes = "y" in rounds.data
with TemporaryDirectory() as folder:
    model = Model(rounds)
    ids = torch.zeros(rounds.batch, dtype=torch.long)
    trainer = Trainer(
        TrainConfig(
            SaeConfig(
                num_latents=job["d_sae"],
                k=job["k"],
                transcode=transcodes,
                skip_connection=transcodes,
            ),
            batch_size=1,
            optimizer="adam",
            lr=job["lr"],
            lr_warmup_steps=0,
            auxk_alpha=1 / 32 if job["aux"] else 0.0,
            dead_feature_threshold=AT_ONCE if job["aux"] else NEVER,
            hookpoints=["given"],
            log_to_wandb=False,
            save_dir=folder,
        ),
        [{"input_ids": ids}] * total,
        model,
    )
    sae = trainer.saes["given"]
    if not transcodes:
        with torch.no_grad():
            sae.W_dec.copy_(rounds.data["directions"])
            sae.encoder.weight.copy_(rounds.data["directions"])
            sae.encoder.bias.copy_(rounds.data["bias"])
    model.begin()
    trainer.fit()
rounds.finish(lambda x: sae(x).sae_out)
