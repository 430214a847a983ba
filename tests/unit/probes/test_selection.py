import numpy as np
import torch

from sonde.core.hooks import parse_hook_point
from sonde.data.accounting import JoinReport
from sonde.probes.names import SHUFFLED
from sonde.probes.reader import Linear
from sonde.probes.selection import select
from sonde.probes.settings import MeanDifferenceSettings
from sonde.probes.swept import Columns, Place, Swept
from sonde.probes.targets import Targets

N_FOLDS, N = 3, 6
TRUTH = np.tile([0.0, 1.0], N_FOLDS)


def place(layer, inner_best, control):
    """Return a place with the scores that its inner folds gave it; it always predicts its layer.

    Its control, on labels turned round, predicts ten more.
    """
    return Swept(
        place=Place(parse_hook_point(f"blocks.{layer}.resid_post"), "prompt[-1]"),
        rows=np.arange(N),
        other=None,
        columns=Columns(
            truth=np.stack([TRUTH, 1 - TRUTH], axis=1),
            out_of_fold=np.full((N, 2), [layer, 10 + layer], float),
            scale=np.full((N_FOLDS, 2), 1.0 + layer),
            inner_best=np.stack([inner_best, control], axis=1),
        ),
        controls={SHUFFLED: (1,)},
        chosen=np.zeros(N_FOLDS, int),
        by_penalty=np.zeros(1),
        final=0,
        at_edge=False,
        separated=False,
        reader=Linear(*(torch.zeros(shape).double() for shape in ((1, 2), (1,), (2,), (2,)))),
    )


def test_a_fold_takes_the_place_that_its_own_training_folds_score_best():
    names = np.array([f"e{row}" for row in range(N)])
    targets = Targets(
        index=np.arange(N),
        values=TRUTH[:, None],
        example=names,
        position=np.full(N, "prompt[-1]"),
        token=np.zeros(N, np.int32),
        unit=names,
        labels=("a", "b"),
        report=JoinReport(N, N, N, {}, {}),
        notes=(),
        texts={},
    )
    settings = MeanDifferenceSettings(folds=N_FOLDS, resamples=5)
    # Over all folds layer 1 is the better one; the last fold's training rows say otherwise.
    # The control chooses by its own scores.
    swept = [
        place(0, [0.5, 0.5, 0.7], control=[0.6, 0.4, 0.4]),
        place(1, [0.9, 0.9, 0.6], control=[0.4, 0.6, 0.6]),
    ]
    found = select(swept, targets, np.repeat(np.arange(N_FOLDS), 2), settings)
    assert [hook.layer for hook in found.hooks] == [1, 1, 0]
    assert found.scored.predicted.tolist() == [1, 1, 1, 1, 0, 0]
    assert found.scored.said.tolist() == [2, 2, 2, 2, 0, 0]
    (control,) = found.controls[SHUFFLED].scored
    assert control.predicted.tolist() == [10, 10, 11, 11, 11, 11]
    assert control.truth.tolist() == (1 - TRUTH).tolist()
