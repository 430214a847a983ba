"""SAELens: its training SAEs on made activations, each with its trainer."""

import torch
from recovery_task import Course
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

course = Course()
job = course.job
common = {"d_in": course.x.shape[1], "d_sae": job["d_sae"], "apply_b_dec_to_input": True}


def untrained(kind: str):
    if kind == "JumpReLU":
        return JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(
                **common,
                jumprelu_init_threshold=job["threshold"],
                jumprelu_bandwidth=job["bandwidth"],
                l0_coefficient=job["l0"],
                l0_warm_up_steps=job["penalty_warmup"],
            )
        )
    if kind == "TopK":
        return TopKTrainingSAE(TopKTrainingSAEConfig(**common, k=job["k"]))
    if kind == "BatchTopK":
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**common, k=job["k"]))
    widths = torch.tensor(job["groups"]).cumsum(0).tolist()
    return MatryoshkaBatchTopKTrainingSAE(
        MatryoshkaBatchTopKTrainingSAEConfig(**common, k=job["k"], matryoshka_widths=widths)
    )


decoders = {}
for kind in job["kinds"]:
    sae = untrained(kind)
    with torch.no_grad():
        length = sae.cfg.decoder_init_norm  # the library's own
        sae.W_dec.copy_(length * course.directions)
        sae.W_enc.copy_(length * course.directions.T)
        sae.b_dec.copy_(course.x.mean(dim=0))
    settings = SAETrainerConfig(
        total_training_samples=course.steps * course.batch,
        train_batch_size_samples=course.batch,
        lr=job["lr"],
        lr_end=job["lr"],
        lr_decay_steps=course.steps - 1,
        dead_feature_window=job["dead_steps"],
    )
    decoders[kind] = SAETrainer(settings, sae, course.batches()).fit().W_dec
course.answer(decoders)
