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
    from sonde.probes.after_erasure import erasure_check
    from sonde.probes.agreement import RankAgreement, rank_agreement
    from sonde.probes.baseline import Baseline
    from sonde.probes.beside import AtDepth, SideBySide, side_by_side
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
    from sonde.probes.classes_from_moments import StreamedProbes, probes_from_stream
    from sonde.probes.control import Control
    from sonde.probes.elicitation import elicit
    from sonde.probes.elicited import Elicited
    from sonde.probes.elsewhere import Source
    from sonde.probes.eraser import Eraser, fit_erasers
    from sonde.probes.erasure_results import ErasureCheck
    from sonde.probes.fitting import fit
    from sonde.probes.from_moments import ridge_from_stream
    from sonde.probes.held_out import held_out_groups
    from sonde.probes.penalty_scores import PenaltyScores, ridge_scores
    from sonde.probes.probe import Probe
    from sonde.probes.ranking import out_of_fold_ranking, pair_accuracy, rank_correlation
    from sonde.probes.reading import TokenScore
    from sonde.probes.reliability import Calibration, calibration
    from sonde.probes.results import LayerResult, ProbeResults, Selection
    from sonde.probes.transferring import Transfer, TransferCell, transfer
    from sonde.probes.utilities import Utilities, UtilitySettings, fit_utilities

__all__ = [
    "AtDepth",
    "AttentionSettings",
    "Baseline",
    "BradleyTerrySettings",
    "Calibration",
    "Control",
    "Elicited",
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
    "PenaltyScores",
    "Probe",
    "ProbeResults",
    "ProbeSettings",
    "RankAgreement",
    "RidgeSettings",
    "Selection",
    "SideBySide",
    "Source",
    "StreamedProbes",
    "TokenScore",
    "Transfer",
    "TransferCell",
    "Utilities",
    "UtilitySettings",
    "attention",
    "bradley_terry",
    "calibration",
    "elicit",
    "erasure_check",
    "fit",
    "fit_erasers",
    "fit_utilities",
    "held_out_groups",
    "lda",
    "logistic",
    "mass_mean",
    "mean_difference",
    "mlp",
    "multi_token",
    "multinomial",
    "out_of_fold_ranking",
    "pair_accuracy",
    "pca",
    "probes_from_stream",
    "rank_agreement",
    "rank_correlation",
    "ridge",
    "ridge_from_stream",
    "ridge_scores",
    "side_by_side",
    "transfer",
]

# An experiment file is read with the settings alone; fitting imports torch.
_LAZY = {
    "AtDepth": "beside",
    "Baseline": "baseline",
    "Calibration": "reliability",
    "Control": "control",
    "Elicited": "elicited",
    "Eraser": "eraser",
    "ErasureCheck": "erasure_results",
    "LayerResult": "results",
    "PenaltyScores": "penalty_scores",
    "Probe": "probe",
    "ProbeResults": "results",
    "RankAgreement": "agreement",
    "Selection": "results",
    "SideBySide": "beside",
    "Source": "elsewhere",
    "StreamedProbes": "classes_from_moments",
    "TokenScore": "reading",
    "Transfer": "transferring",
    "TransferCell": "transferring",
    "Utilities": "utilities",
    "UtilitySettings": "utilities",
    "attention": "by_kind",
    "bradley_terry": "by_kind",
    "calibration": "reliability",
    "elicit": "elicitation",
    "erasure_check": "after_erasure",
    "fit": "fitting",
    "fit_erasers": "eraser",
    "fit_utilities": "utilities",
    "held_out_groups": "held_out",
    "lda": "by_kind",
    "logistic": "by_kind",
    "mass_mean": "by_kind",
    "mean_difference": "by_kind",
    "mlp": "by_kind",
    "multi_token": "by_kind",
    "multinomial": "by_kind",
    "out_of_fold_ranking": "ranking",
    "pair_accuracy": "ranking",
    "pca": "by_kind",
    "probes_from_stream": "classes_from_moments",
    "rank_agreement": "agreement",
    "rank_correlation": "ranking",
    "ridge": "by_kind",
    "ridge_from_stream": "from_moments",
    "ridge_scores": "penalty_scores",
    "side_by_side": "beside",
    "transfer": "transferring",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sonde.probes' has no attribute {name!r}")
    return getattr(import_module(f"sonde.probes.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
