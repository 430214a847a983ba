"""sonde: one grid. Also answers one row at a time, for comparison, when asked to."""

from threading import Event

import numpy as np
import torch
from serve import serve, task

import sonde
from sonde.core.edits import Add, Scope, When
from sonde.core.hooks import HookPoint, Site
from sonde.models.generate import GenerateSettings, generate
from sonde.models.grid import GridRow, GridSettings, generate_grid

job = task()
torch.set_num_threads(job["threads"])
model = sonde.load(job["model"], check=False)
hook = HookPoint(job["layer"], Site.RESID_POST)
scope = Scope(when=When(job["when"]))
warm = Event()


def rows(coefficients: list[float]) -> list[GridRow]:
    return [
        GridRow(prompt, (Add(hook, torch.tensor(vector), coefficient * job["unit"], scope),))
        for vector in job["vectors"]
        for coefficient in coefficients
        for prompt in range(len(job["texts"]))
    ]


def run(_: list) -> np.ndarray:
    """Return ``[row, token]``, -1 after the end, and each row's margin in the last column."""
    asked = rows(job["coefficients"] if warm.is_set() else job["coefficients"][:1])
    warm.set()
    n_new = job["new_tokens"]
    found = np.full((len(asked), n_new + 1), -1.0)
    if job["alone"]:
        settings = GenerateSettings(max_new_tokens=n_new)
        for number, row in enumerate(asked):
            made = generate(model, [job["texts"][row.prompt]], settings, row.edits).tokens[0]
            found[number, : len(made)] = made
        return found
    settings = GridSettings(max_new_tokens=n_new, token_budget=job["token_budget"])
    for one in generate_grid(model, job["texts"], asked, settings, progress=False):
        found[one.row, : len(one.tokens)] = one.tokens
        found[one.row, -1] = one.margin
    return found


serve(run, job)
