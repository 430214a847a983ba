"""The bare limit: the same tokens through the same blocks, in equal lengths, nothing captured."""

import torch
from serve import serve, task
from transformers import AutoModelForCausalLM, AutoTokenizer

job = task()
torch.set_num_threads(job["threads"])
tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
decoder = model.get_decoder()
decoder.layers = decoder.layers[: max(job["layers"]) + 1]
decoder.config.num_hidden_layers = len(decoder.layers)
encoded = tokenizer(job["texts"], add_special_tokens=False)["input_ids"]
total = sum(map(len, encoded))
length = round(total / len(encoded))
flat = torch.tensor([token for ids in encoded for token in ids])
sequences = flat[: total // length * length].view(-1, length)
batch = max(1, job["token_budget"] // length)


@torch.inference_mode()
def run() -> None:
    for start in range(0, len(sequences), batch):
        decoder(input_ids=sequences[start : start + batch], use_cache=False)


serve(run, job["answer"])
