"""nnsight: one trace for each batch of 8, stopped after the deepest block asked for."""

import numpy as np
import torch
from nnsight import TransformersModel
from serve import batches, serve, task
from transformers import AutoModelForCausalLM, AutoTokenizer

job = task()
torch.set_num_threads(job["threads"])
tokenizer = AutoTokenizer.from_pretrained(job["model"])
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
tokenizer.padding_side = "right"
hf_model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
model = TransformersModel(hf_model, task="text-generation", tokenizer=tokenizer)
tokenizer.padding_side = "right"  # it sets the left side, as generation needs


@torch.no_grad()
def run(texts: list[str]) -> np.ndarray:
    rows = []
    for some in batches(texts):
        inputs = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
        last = inputs["attention_mask"].sum(1) - 1
        at = torch.arange(len(some))
        with model.trace(dict(inputs)) as tracer:
            kept = list().save()
            for layer in job["layers"]:
                kept.append(model.model.layers[layer].output[at, last])
            tracer.stop()
        rows.append(torch.stack(kept, 1))
    return torch.cat(rows).numpy()


serve(run, job)
