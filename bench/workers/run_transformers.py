"""transformers as most scripts use it: batches of 8 with output_hidden_states."""

import numpy as np
import torch
from serve import batches, serve, task
from transformers import AutoModelForCausalLM, AutoTokenizer

job = task()
torch.set_num_threads(job["threads"])
tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
tokenizer.padding_side = "right"


@torch.no_grad()
def run(texts: list[str]) -> np.ndarray:
    rows = []
    for some in batches(texts):
        inputs = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
        hidden = model(**inputs, output_hidden_states=True).hidden_states
        last = inputs["attention_mask"].sum(1) - 1
        at = torch.arange(len(some))
        rows.append(torch.stack([hidden[layer + 1][at, last] for layer in job["layers"]], 1))
    return torch.cat(rows).numpy()


serve(run, job)
