"""Reports: one self-contained HTML file with the answer, its evidence and where it comes from."""

from sonde.report.answer import Answer, answer_from
from sonde.report.from_calibration import calibration_from, calibration_view
from sonde.report.from_classes import classes_from
from sonde.report.from_dictionary import latents_section
from sonde.report.from_massive import massive_from
from sonde.report.from_penalties import penalties_from
from sonde.report.from_projections import projections_from
from sonde.report.from_results import accounting_from, curves_by_metric, curves_from
from sonde.report.from_steering import samples_from, steering_from
from sonde.report.from_tokens import TokenTruth, token_view_from, token_view_of
from sonde.report.from_training import training_from
from sonde.report.from_transfer import transfer_from
from sonde.report.from_vectors import (
    cosines_from,
    layer_cosines_from,
    model_cosines_from,
    separation_from,
)
from sonde.report.from_warnings import notices_from
from sonde.report.report import Report, render, write_report
from sonde.report.sections import Section
from sonde.report.sections.accounting import Accounting, Loss, Step
from sonde.report.sections.calibration import Bin, Calibration, Reliability
from sonde.report.sections.claims import Claims, ClaimView
from sonde.report.sections.confusion_matrix import ConfusionMatrix
from sonde.report.sections.cosine_matrix import CosineMatrix
from sonde.report.sections.latent_browser import LatentBrowser, ShownLatent, ShownText
from sonde.report.sections.layer_curves import Curve, LayerCurves
from sonde.report.sections.massive_view import Coordinate, MassiveView, Sink
from sonde.report.sections.notices import Notice, Notices
from sonde.report.sections.penalty_map import PenaltyMap
from sonde.report.sections.provenance import Provenance
from sonde.report.sections.samples import Sample, Samples
from sonde.report.sections.steering_curves import SteeredPoint, SteeringCurve, SteeringCurves
from sonde.report.sections.text import Table, Text
from sonde.report.sections.token_view import TokenText, TokenView
from sonde.report.sections.training_curves import TrainingCurve, TrainingCurves
from sonde.report.sections.transfer import TransferCell, TransferMatrix

__all__ = [
    "Accounting",
    "Answer",
    "Bin",
    "Calibration",
    "ClaimView",
    "Claims",
    "ConfusionMatrix",
    "Coordinate",
    "CosineMatrix",
    "Curve",
    "LatentBrowser",
    "LayerCurves",
    "Loss",
    "MassiveView",
    "Notice",
    "Notices",
    "PenaltyMap",
    "Provenance",
    "Reliability",
    "Report",
    "Sample",
    "Samples",
    "Section",
    "ShownLatent",
    "ShownText",
    "Sink",
    "SteeredPoint",
    "SteeringCurve",
    "SteeringCurves",
    "Step",
    "Table",
    "Text",
    "TokenText",
    "TokenTruth",
    "TokenView",
    "TrainingCurve",
    "TrainingCurves",
    "TransferCell",
    "TransferMatrix",
    "accounting_from",
    "answer_from",
    "calibration_from",
    "calibration_view",
    "classes_from",
    "cosines_from",
    "curves_by_metric",
    "curves_from",
    "latents_section",
    "layer_cosines_from",
    "massive_from",
    "model_cosines_from",
    "notices_from",
    "penalties_from",
    "projections_from",
    "render",
    "samples_from",
    "separation_from",
    "steering_from",
    "token_view_from",
    "token_view_of",
    "training_from",
    "transfer_from",
    "write_report",
]
