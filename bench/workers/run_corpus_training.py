"""Training from a corpus: everything, the forward passes alone, or the steps alone."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import sonde
from sonde.activations.row_batches import TensorRows
from sonde.activations.shuffled import CorpusRows
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.hooks import parse_hook_point
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.sparsity import TopK
from sonde.dictionaries.training import Training
from sonde.dictionaries.training.start import start_of
from sonde.dictionaries.training.trainee import Trainee
from sonde.dictionaries.training.trainer import Rhythm, Trainer
from sonde.models.corpus_tokens import token_corpus

PASS = 8  # chunks of a bare pass, 2,048 tokens

job = json.loads(Path(sys.argv[1]).read_text())
torch.set_num_threads(job["threads"])
model = sonde.load(job["model"], check=False)
corpus = token_corpus(
    model.tokenizer, CorpusSettings(texts=job["texts"], tokens=job["tokens"]), Path(job["corpus"])
)
hooks = tuple(parse_hook_point(hook) for hook in job["hooks"])
source = CorpusRows(model, corpus, hooks, ShuffleSettings(batch=job["batch"]))
made = TensorRows(
    {hook: torch.randn(2 * job["batch"], width) for hook, width in source.widths.items()},
    job["batch"],
    epochs=source.n_batches,  # measures sinks too, before any round
)


def trained(rows) -> Callable[[], None]:
    """Train a dictionary at each hook point, from the start."""
    training = Training(aux=None)
    start = start_of(made, "mean")
    trainees = {
        str(hook): Trainee.fresh(
            DictionarySettings(
                sources=(str(hook),), d_sae=job["d_sae"], sparsity=TopK(k=job["k"])
            ).architecture(source.widths),
            training,
            start,
            source.n_batches,
        )
        for hook in hooks
    }
    return lambda: Trainer(rows, start, trainees, Rhythm(source.n_batches)).run(progress=False)


def passes() -> None:
    """Run every chunk through the blocks to that depth, nothing captured."""
    with torch.inference_mode():
        for first in range(0, corpus.n_chunks, PASS):
            numbers = np.arange(first, min(first + PASS, corpus.n_chunks))
            ids = torch.from_numpy(corpus.chunk(numbers).astype("int64"))
            decoder(input_ids=ids, use_cache=False)


if job["part"] == "passes":
    decoder = model.hf.get_decoder()
    decoder.layers = decoder.layers[: max(hook.layer for hook in hooks) + 1]
    decoder.config.num_hidden_layers = len(decoder.layers)
    run = passes
else:
    run = trained(source if job["part"] == "everything" else made)
print(json.dumps({"ready": True, "batches": source.n_batches}), flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    run()
    print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)
