"""Probes: fitted maps from activations to a label or a number."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sonde.probes.settings import (
    LogisticSettings,
    MeanDifferenceSettings,
    ProbeSettings,
    RidgeSettings,
)

if TYPE_CHECKING:
    from sonde.probes.baseline import Baseline
    from sonde.probes.control import Control
    from sonde.probes.fitting import fit, logistic, mean_difference, ridge
    from sonde.probes.probe import Probe
    from sonde.probes.results import LayerResult, ProbeResults, Selection

__all__ = [
    "Baseline",
    "Control",
    "LayerResult",
    "LogisticSettings",
    "MeanDifferenceSettings",
    "Probe",
    "ProbeResults",
    "ProbeSettings",
    "RidgeSettings",
    "Selection",
    "fit",
    "logistic",
    "mean_difference",
    "ridge",
]

# An experiment file is read with the settings alone; fitting imports torch.
_LAZY = {
    "Baseline": "baseline",
    "Control": "control",
    "LayerResult": "results",
    "Probe": "probe",
    "ProbeResults": "results",
    "Selection": "results",
    "fit": "fitting",
    "logistic": "fitting",
    "mean_difference": "fitting",
    "ridge": "fitting",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sonde.probes' has no attribute {name!r}")
    return getattr(import_module(f"sonde.probes.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
