"""Made-up activations with a direction in them, for the tests of probes."""

import numpy as np
import torch

from sonde.activations.activations import ActivationsInMemory, Origin, RowTable
from sonde.core.hooks import HookPoint, Site
from sonde.data.examples import Example

ORIGIN = Origin(
    model="tiny", revision="r1", model_fingerprint="f00d" * 4, dtype="float32", template="chat"
)


def row_table(examples, positions=None, groups=None, tokens=None):
    n = len(examples)
    whole = np.zeros(n, np.int32)
    return RowTable(
        example=np.asarray(examples, str),
        position=np.asarray(positions if positions is not None else ["prompt[-1]"] * n, str),
        token=np.asarray(tokens if tokens is not None else whole, np.int32),
        token_id=whole,
        n_tokens=whole + 1,
        start=whole - 1,
        end=whole - 1,
        group=np.asarray(groups if groups is not None else [""] * n, str),
    )


def activations(tensors, **rows):
    """Wrap arrays ``[row, d]`` as the activations of layers 0, 1, …"""
    n = len(tensors[0])
    rows.setdefault("examples", [str(number) for number in range(n)])
    return ActivationsInMemory(
        tensors={
            HookPoint(layer, Site.RESID_POST): torch.as_tensor(x, dtype=torch.float32)
            for layer, x in enumerate(tensors)
        },
        rows=row_table(**rows),
        origin=ORIGIN,
    )


def planted_classes(n=80, d=12, strength=2.0, layers=2, seed=0, pairs=False):
    """Layer ``layers - 1`` holds the label along one direction; the others are noise."""
    rng = np.random.default_rng(seed)
    label = np.tile([0, 1], n // 2)
    direction = rng.normal(size=d)
    direction /= np.linalg.norm(direction)
    tensors = [rng.normal(size=(n, d)) for _ in range(layers)]
    tensors[-1] += strength * (label - 0.5)[:, None] * direction
    groups = [f"pair {number // 2}" for number in range(n)] if pairs else None
    acts = activations(tensors, groups=groups)
    return acts, label, direction


def planted_numbers(n=60, d=8, noise=0.5, layers=2, seed=0):
    """Like ``planted_classes`` with a number to predict."""
    rng = np.random.default_rng(seed)
    tensors = [rng.normal(size=(n, d)) * np.arange(1, d + 1) + 3 for _ in range(layers)]
    direction = rng.normal(size=d) / np.arange(1, d + 1)
    y = tensors[-1] @ direction + noise * rng.normal(size=n)
    return activations(tensors), y, direction


def as_examples(acts, labels, texts=None):
    return [
        Example(
            id=str(name),
            prompt=texts[number] if texts else f"text {number}",
            label=label.item() if hasattr(label, "item") else label,
            group=str(acts.rows.group[number]) or None,
        )
        for number, (name, label) in enumerate(zip(acts.rows.example, labels, strict=True))
    ]
