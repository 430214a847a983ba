"""Vectors made by hand, for the tests of everything that takes them."""

import torch
from tests.planted import ORIGIN

from sonde.core.hooks import HookPoint, Site
from sonde.stats.interval import Interval
from sonde.vectors import Vector


def made(direction=(0.6, 0.0, 0.8), layer=1, **changes):
    """A vector of three coordinates whose typical norm is 10."""
    given = {
        "method": "mean_difference",
        "hook": HookPoint(layer, Site.RESID_POST),
        "position": "response[:5].mean",
        "direction": torch.tensor(direction, dtype=torch.float32),
        "origin": ORIGIN,
        "length": 3.5,
        "trait": "enthusiasm",
        "typical_norm": 10.0,
        "massive": (2,),
        "metrics": {"accuracy": Interval(0.9, 0.8, 0.97, 40)},
        "training_data": "abc",
        "n_rows": 80,
    }
    return Vector(**{**given, **changes})
