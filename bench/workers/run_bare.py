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


@torch.inference_mode()
def run(texts: list[str]) -> None:
    decoder_only(sequences_of(len(texts)))


def sequences_of(count: int) -> torch.Tensor:
    """Lay the tokens of the first texts into rows of their mean length."""
    tokens = [token for ids in encoded[:count] for token in ids]
    length = round(len(tokens) / count)
    return torch.tensor(tokens[: len(tokens) // length * length]).view(-1, length)


def decoder_only(sequences: torch.Tensor) -> None:
    batch = max(1, job["token_budget"] // sequences.shape[1])
    for start in range(0, len(sequences), batch):
        decoder(input_ids=sequences[start : start + batch], use_cache=False)


encoded = tokenizer(job["texts"], add_special_tokens=False)["input_ids"]
serve(run, job)
