"""sonde: one extraction of all layers and windows, and every vector with its held-out scores."""

import numpy as np
import torch
from serve import BATCH, serve, task

import sonde
from sonde.data.examples import Example
from sonde.vectors import vectors_from

job = task()
torch.set_num_threads(job["threads"])
model = sonde.load(job["model"], check=False)
names = ("id", "prompt", "response", "group", "label")
examples = [Example(**dict(zip(names, one, strict=True))) for one in job["examples"]]


def run(texts: list[str]) -> np.ndarray:
    chosen = examples[: len(texts)]
    acts = sonde.extract(
        model,
        chosen,
        layers="all",
        positions=tuple(job["windows"]),
        token_budget=job["token_budget"],
        progress=False,
    )
    folds = 5 if len(chosen) > 2 * BATCH else 2
    made = vectors_from(acts, chosen, methods=job["methods"], folds=folds)
    return np.array([one.metrics["cohens_d"].value for one in made])


serve(run, job)
