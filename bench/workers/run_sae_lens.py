"""SAELens: its training SAEs, with its trainer."""

import torch
from dictionary_task import Rounds
from sae_lens import (
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

NEVER, AT_ONCE = 10**9, 0

rounds = Rounds()
job, batch, total = rounds.job, rounds.batch, rounds.total
settings = {
    "d_in": rounds.x.shape[1],
    "d_sae": job["d_sae"],
    "k": job["k"],
    "aux_loss_coefficient": 1.0,
    "apply_b_dec_to_input": True,
}
if job["groups"]:
    widths = torch.tensor(job["groups"]).cumsum(0).tolist()
    sae = MatryoshkaBatchTopKTrainingSAE(
        MatryoshkaBatchTopKTrainingSAEConfig(**settings, matryoshka_widths=widths)
    )
else:
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(**settings))
with torch.no_grad():
    sae.W_dec.copy_(rounds.data["directions"])
    sae.W_enc.copy_(rounds.data["directions"].T)
    sae.b_enc.copy_(rounds.data["bias"])
    sae.b_dec.copy_(rounds.data["centre"])
trainer = SAETrainer(
    SAETrainerConfig(
        total_training_samples=total * batch,
        train_batch_size_samples=batch,
        lr=job["lr"],
        lr_end=job["lr"],
        lr_decay_steps=total - 1,
        dead_feature_window=AT_ONCE if job["aux"] else NEVER,
    ),
    sae,
    (x for x, _ in rounds.batches()),
)
trainer.fit()
rounds.finish(lambda x: sae.decode(sae.encode(x)))
