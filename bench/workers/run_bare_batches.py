"""The bare limit: given batches of token ids through all blocks, nothing captured."""

import torch
from serve import serve, task
from transformers import AutoModelForCausalLM

job = task()
torch.set_num_threads(job["threads"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
decoder = model.get_decoder()


@torch.inference_mode()
def run(texts: list[str]) -> None:
    batches = job["batches"] if len(texts) == len(job["texts"]) else job["batches"][:2]
    for batch in batches:
        decoder(input_ids=torch.tensor(batch), use_cache=False)


serve(run, job)
