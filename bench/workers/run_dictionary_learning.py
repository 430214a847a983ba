"""dictionary_learning: its trainer of TopK, fed one batch after another."""

import torch
from dictionary_learning.trainers.top_k import TopKTrainer
from dictionary_task import Rounds

rounds = Rounds()
job = rounds.job
trainer = TopKTrainer(
    steps=rounds.total,
    activation_dim=rounds.x.shape[1],
    dict_size=job["d_sae"],
    k=job["k"],
    layer=0,
    lm_name="given",
    lr=job["lr"],
    auxk_alpha=1 / 32 if job["aux"] else 0.0,
    warmup_steps=0,
    decay_start=1,
    device="cpu",
)
# Its own fall begins a step later, which shows after so few steps.
trainer.scheduler = torch.optim.lr_scheduler.LambdaLR(
    trainer.optimizer, lambda step: 1 - step / rounds.total
)
if job["aux"]:
    trainer.dead_feature_threshold = 1
with torch.no_grad():
    trainer.ae.decoder.weight.copy_(rounds.data["directions"].T)
    trainer.ae.encoder.weight.copy_(rounds.data["directions"])
    trainer.ae.encoder.bias.copy_(rounds.data["bias"])
    trainer.ae.b_dec.copy_(rounds.data["centre"])
for number, (x, _) in enumerate(rounds.batches()):
    trainer.update(number + 1, x)  # step 0 would set the decoder's bias anew
rounds.finish(trainer.ae)
