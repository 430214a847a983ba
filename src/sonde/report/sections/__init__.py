"""The kinds of section a report is made of: one file each, and one line in this table."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sonde.report.sections import (
    accounting,
    calibration,
    claims,
    confusion_matrix,
    cosine_matrix,
    latent_browser,
    layer_curves,
    massive_view,
    notices,
    penalty_map,
    provenance,
    samples,
    steering_curves,
    text,
    token_view,
    training_curves,
    transfer,
)
from sonde.report.sections.accounting import Accounting
from sonde.report.sections.calibration import Calibration
from sonde.report.sections.claims import Claims
from sonde.report.sections.confusion_matrix import ConfusionMatrix
from sonde.report.sections.cosine_matrix import CosineMatrix
from sonde.report.sections.latent_browser import LatentBrowser
from sonde.report.sections.layer_curves import LayerCurves
from sonde.report.sections.massive_view import MassiveView
from sonde.report.sections.notices import Notices
from sonde.report.sections.penalty_map import PenaltyMap
from sonde.report.sections.provenance import Provenance
from sonde.report.sections.samples import Samples
from sonde.report.sections.steering_curves import SteeringCurves
from sonde.report.sections.text import Table, Text
from sonde.report.sections.token_view import TokenView
from sonde.report.sections.training_curves import TrainingCurves
from sonde.report.sections.transfer import TransferMatrix

Section: TypeAlias = (
    Claims
    | Notices
    | Accounting
    | LayerCurves
    | PenaltyMap
    | ConfusionMatrix
    | Calibration
    | TransferMatrix
    | MassiveView
    | SteeringCurves
    | CosineMatrix
    | Samples
    | TokenView
    | TrainingCurves
    | LatentBrowser
    | Provenance
    | Text
    | Table
)

# A section's kind names its template; the function computes what the template shows.
SECTIONS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    Claims.kind: claims.prepare,
    Notices.kind: notices.prepare,
    Accounting.kind: accounting.prepare,
    LayerCurves.kind: layer_curves.prepare,
    PenaltyMap.kind: penalty_map.prepare,
    ConfusionMatrix.kind: confusion_matrix.prepare,
    Calibration.kind: calibration.prepare,
    TransferMatrix.kind: transfer.prepare,
    MassiveView.kind: massive_view.prepare,
    SteeringCurves.kind: steering_curves.prepare,
    CosineMatrix.kind: cosine_matrix.prepare,
    Samples.kind: samples.prepare,
    TokenView.kind: token_view.prepare,
    TrainingCurves.kind: training_curves.prepare,
    LatentBrowser.kind: latent_browser.prepare,
    Provenance.kind: provenance.prepare,
    Text.kind: text.prepare,
    Table.kind: text.prepare_table,
}
