"""repeng: a control for each coefficient, and transformers' generate."""

from contextlib import contextmanager

import numpy as np
import torch
from repeng import ControlModel, ControlVector
from steering_task import load, race, task

job = task()
torch.set_num_threads(job["threads"])
model = ControlModel(load(job), [job["layer"]])
vectors = [
    ControlVector(model_type="llama", directions={job["layer"]: np.array(one, np.float32)})
    for one in job["vectors"]
]


@contextmanager
def steered(method: int, coefficient: float):
    model.set_control(vectors[method], coefficient * job["unit"])
    yield
    model.reset()


race(job, model.generate, model.model, steered)
