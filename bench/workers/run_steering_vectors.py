"""steering-vectors: a patch for each coefficient, and transformers' generate."""

import torch
from steering_task import load, race, task
from steering_vectors import SteeringVector

job = task()
torch.set_num_threads(job["threads"])
model = load(job)
vectors = [SteeringVector({job["layer"]: torch.tensor(one)}) for one in job["vectors"]]


def steered(method: int, coefficient: float):
    return vectors[method].apply(model, multiplier=coefficient * job["unit"])


race(job, model.generate, model, steered)
