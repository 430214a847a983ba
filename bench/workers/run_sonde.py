"""sonde: one call."""

import numpy as np
import torch
from serve import serve, task

import sonde

job = task()
torch.set_num_threads(job["threads"])
model = sonde.load(job["model"], check=False)


def run(texts: list[str]) -> np.ndarray:
    acts = sonde.extract(
        model,
        texts,
        hooks="resid_post",
        layers=job["layers"],
        positions="prompt[-1]",
        template="none",
        progress=False,
    )
    order = np.argsort([int(name) for name in acts.rows.example])
    return np.stack([acts.tensor(hook).numpy()[order] for hook in acts.hooks], 1)


serve(run, job)
