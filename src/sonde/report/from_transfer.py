"""The matrix of transfers from probes that were scored elsewhere."""

import math
from typing import TYPE_CHECKING

import numpy as np

from sonde.report.from_results import METRIC_NAMES
from sonde.report.sections.transfer import TransferCell, TransferMatrix
from sonde.stats.metrics import METRICS

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.probes.scored import Scored
    from sonde.probes.transferring import Transfer


def transfer_from(transfer: "Transfer", *, note: str = "") -> TransferMatrix:
    """Show every pair that was tried, and why one has no score."""
    scored = [cell.scored for cell in transfer.cells if cell.scored is not None]
    metric = METRICS[transfer.metric]
    return TransferMatrix(
        cells=tuple(
            TransferCell(cell.train, cell.test, cell.score, cell.note) for cell in transfer.cells
        ),
        metric=METRIC_NAMES.get(transfer.metric, transfer.metric),
        chance=max((_chance(transfer.metric, one) for one in scored), default=0.5),
        ceiling=metric.ceiling if math.isfinite(metric.ceiling) else 1.0,
        note=note,
    )


def _chance(metric: str, scored: "Scored") -> float:
    """Return what a guess scores; where that depends on the classes, as they are here."""
    counts = np.unique(scored.truth, return_counts=True)[1]
    if metric in ("accuracy", "class_accuracy"):
        return float(counts.max() / counts.sum())
    chance = METRICS[metric].chance
    return chance if math.isfinite(chance) else 1 / len(counts)
