"""sonde: texts tokenised anew, rows picked, the model run once for all layers, probes fitted."""

import os
import shutil
import tempfile

import numpy as np
import torch
from serve import BATCH, serve, task

import sonde
from sonde.activations.token_picking import asked_of, pick_rows
from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.activations.token_tasks import Source, read_rows
from sonde.data.text_folders import Document, TextFolder
from sonde.probes import fit
from sonde.probes.settings import SETTINGS

job = task()
torch.set_num_threads(job["threads"])
model = sonde.load(job["model"], check=False)
cache = tempfile.mkdtemp()
os.environ["SONDE_CACHE"] = cache
small = TokenTaskSettings.model_validate(job["settings"] | {"max_tokens": 1500, "rows": 40})
whole = TokenTaskSettings.model_validate(job["settings"])
method = SETTINGS[job["method"]["kind"]].model_validate(job["method"])


def run(texts: list[str]) -> np.ndarray:
    shutil.rmtree(cache)  # so that each round tokenises
    warm_up = len(texts) == 2 * BATCH
    settings = small if warm_up else whole
    named = zip(job["names"], job["texts"], strict=True)
    folder = TextFolder("texts", tuple(Document(*one) for one in named), ())
    asked = asked_of(model.tokenizer, model.info.context, folder, settings)
    rows, facts = pick_rows(asked, settings)
    acts = read_rows(rows, facts, Source(lambda: model, settings.reading()))
    found = fit(acts, acts.labels, method)
    return np.array([layer.score.value for layer in found.layers])


serve(run, job)
