"""TransformerLens: run_with_cache on batches of 8, stopped after the deepest block asked for."""

import numpy as np
import torch
from serve import batches, serve, task
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM, AutoTokenizer

job = task()
torch.set_num_threads(job["threads"])
tokenizer = AutoTokenizer.from_pretrained(job["model"])
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
tokenizer.padding_side = "right"
# eager is TransformerBridge's own default; without attention patterns asked for, sdpa is the
# faster choice and gives the same numbers, so the contestant gets it.
hf_model = AutoModelForCausalLM.from_pretrained(
    job["model"], dtype=torch.float32, attn_implementation="sdpa"
).eval()
model = TransformerBridge.boot_transformers(
    job["model"], hf_model=hf_model, tokenizer=tokenizer, dtype=torch.float32, device="cpu"
)
names = [f"blocks.{layer}.hook_resid_post" for layer in job["layers"]]


@torch.no_grad()
def run(texts: list[str]) -> np.ndarray:
    rows = []
    for some in batches(texts):
        inputs = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
        _, cache = model.run_with_cache(
            inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            stop_at_layer=max(job["layers"]) + 1,
            names_filter=names,
        )
        last = inputs["attention_mask"].sum(1) - 1
        at = torch.arange(len(some))
        rows.append(torch.stack([cache[name][at, last] for name in names], 1))
    return torch.cat(rows).numpy()


serve(run, job)
