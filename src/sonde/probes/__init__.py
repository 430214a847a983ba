"""Probes: fitted maps from activations to a label or a number."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sonde.probes.settings import (
    AttentionSettings,
    BradleyTerrySettings,
    LdaSettings,
    LogisticSettings,
    MassMeanSettings,
    MeanDifferenceSettings,
    MlpSettings,
    MultinomialSettings,
    MultiTokenSettings,
    PcaSettings,
    ProbeSettings,
    RidgeSettings,
)

if TYPE_CHECKING:
    from sonde.probes.after_erasure import ErasureCheck, erasure_check
    from sonde.probes.baseline import Baseline
    from sonde.probes.by_kind import (
        attention,
        bradley_terry,
        lda,
        logistic,
        mass_mean,
        mean_difference,
        mlp,
        multi_token,
        multinomial,
        pca,
        ridge,
    )
    from sonde.probes.control import Control
    from sonde.probes.eraser import Eraser, fit_erasers
    from sonde.probes.fitting import fit
    from sonde.probes.probe import Probe
    from sonde.probes.reading import TokenScore
    from sonde.probes.reliability import Calibration, calibration
    from sonde.probes.results import LayerResult, ProbeResults, Selection

__all__ = [
    "AttentionSettings",
    "Baseline",
    "BradleyTerrySettings",
    "Calibration",
    "Control",
    "Eraser",
    "ErasureCheck",
    "LayerResult",
    "LdaSettings",
    "LogisticSettings",
    "MassMeanSettings",
    "MeanDifferenceSettings",
    "MlpSettings",
    "MultiTokenSettings",
    "MultinomialSettings",
    "PcaSettings",
    "Probe",
    "ProbeResults",
    "ProbeSettings",
    "RidgeSettings",
    "Selection",
    "TokenScore",
    "attention",
    "bradley_terry",
    "calibration",
    "erasure_check",
    "fit",
    "fit_erasers",
    "lda",
    "logistic",
    "mass_mean",
    "mean_difference",
    "mlp",
    "multi_token",
    "multinomial",
    "pca",
    "ridge",
]

# An experiment file is read with the settings alone; fitting imports torch.
_LAZY = {
    "Baseline": "baseline",
    "Calibration": "reliability",
    "Control": "control",
    "Eraser": "eraser",
    "ErasureCheck": "after_erasure",
    "LayerResult": "results",
    "Probe": "probe",
    "ProbeResults": "results",
    "Selection": "results",
    "TokenScore": "reading",
    "attention": "by_kind",
    "bradley_terry": "by_kind",
    "calibration": "reliability",
    "erasure_check": "after_erasure",
    "fit": "fitting",
    "fit_erasers": "eraser",
    "lda": "by_kind",
    "logistic": "by_kind",
    "mass_mean": "by_kind",
    "mean_difference": "by_kind",
    "mlp": "by_kind",
    "multi_token": "by_kind",
    "multinomial": "by_kind",
    "pca": "by_kind",
    "ridge": "by_kind",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sonde.probes' has no attribute {name!r}")
    return getattr(import_module(f"sonde.probes.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
