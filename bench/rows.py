"""Rows of the embedded model that dictionaries are raced on: real text, shuffled, no sinks."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from bench.prompts import SHARED_TEXT

LAYER = 15  # of 30
CONTEXT = 256


@dataclass(frozen=True)
class Rows:
    """Rows at some hook points, scaled to a mean norm of sqrt(d): to train on, and held out."""

    train: dict[str, np.ndarray]
    held_out: dict[str, np.ndarray]


def texts() -> str:
    """Return the folder of books beside the project, or Python's own documentation strings."""
    return str(SHARED_TEXT.parent) if SHARED_TEXT.exists() else "standard library"


def real_rows(sites: Sequence[str], count: int, held_out: int, folder: Path) -> Rows:
    """Return rows of block 15; ``count`` of them in whole batches of 2,048."""
    import torch

    import sonde
    from bench.model import model_folder
    from sonde.activations.shuffled import CorpusRows
    from sonde.activations.shuffled_settings import ShuffleSettings
    from sonde.core.hooks import parse_hook_point
    from sonde.data.corpus_settings import CorpusSettings
    from sonde.models.corpus_tokens import token_corpus

    model = sonde.load(str(model_folder()), check=False)
    tokens = round(1.1 * count) // CONTEXT * CONTEXT
    wanted = CorpusSettings(
        texts=texts(), tokens=tokens, held_out_tokens=2 * held_out, context=CONTEXT
    )
    corpus = token_corpus(model.tokenizer, wanted, folder / "corpus")
    hooks = tuple(parse_hook_point(f"blocks.{LAYER}.{site}") for site in sites)
    source = CorpusRows(model, corpus, hooks, ShuffleSettings(batch=2_048))
    batches = list(islice(source.batches(), count // source.batch))
    others = list(source.held_out(chunks=-(-held_out * 11 // (10 * CONTEXT))))
    shutil.rmtree(folder / "corpus")
    train: dict[str, np.ndarray] = {}
    apart: dict[str, np.ndarray] = {}
    for hook in source.hooks:
        x = torch.cat([batch.tensors[hook].float() for batch in batches])
        scale = x.shape[1] ** 0.5 / float(x.norm(dim=1).mean())
        train[hook.site] = (scale * x).numpy()
        other = torch.cat([batch.tensors[hook].float() for batch in others])[:held_out]
        apart[hook.site] = (scale * other).numpy()
    return Rows(train, apart)
