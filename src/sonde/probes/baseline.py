"""The bag-of-tokens baseline: what the words alone say, without the model."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.probes.nested import nested
from sonde.probes.scored import Scored, intervals
from sonde.probes.settings import ProbeSettings
from sonde.probes.targets import Targets
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
WORD = r"(?u)\w+|[^\w\s]"  # a word, or one mark of punctuation


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """The score of a linear model on word counts, on the probe's own folds."""

    score: Interval
    scored: Scored


def bag_of_tokens(
    targets: Targets, folds: Int[np.ndarray, " row"], settings: ProbeSettings
) -> Baseline | None:
    """Score counts of words and punctuation, one row an example; None without texts.

    Logistic regression where there are classes (ridge for numbers), scikit-learn's, with the
    penalty chosen inside the training folds like the probe's.
    """
    if not targets.texts:
        return None
    _, first = np.unique(targets.example, return_index=True)
    texts = [targets.texts[name] for name in targets.example[first].tolist()]
    truth, fold = targets.values[first], folds[first]
    solver = _Counts(texts, truth, fold, classes=settings.kind != "ridge")
    metric = METRICS[settings.metric]
    found = nested(solver, fold, truth[:, None], PENALTIES, metric)
    scored = Scored(
        example=targets.example[first],
        token=np.full(len(first), -1, np.int32),
        unit=targets.unit[first],
        fold=fold,
        truth=truth,
        predicted=found.out_of_fold[0, :, 0],
    )
    return Baseline(intervals([scored], metric, settings.bootstrap)[0], scored)


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Word counts as a solver of one layer, the vocabulary taken from each fit's training texts."""

    texts: Sequence[str]
    truth: Float[np.ndarray, " row"]
    folds: Int[np.ndarray, " row"]
    classes: bool

    def held_out(self, left_out: Sequence[int], penalties: Sequence[float]) -> Any:
        """Fit without the folds ``left_out`` and predict their rows."""
        import torch
        from sklearn.feature_extraction.text import CountVectorizer

        held = np.isin(self.folds, left_out)
        counter = CountVectorizer(token_pattern=WORD)
        try:
            train = counter.fit_transform(self._texts(~held))
        except ValueError:  # no word at all: nothing but the mean to go by
            mean = self.truth[~held].mean() if not self.classes else 0.0
            return torch.full((1, len(penalties), int(held.sum()), 1), mean).double()
        test = counter.transform(self._texts(held))
        fits = [self._predict(train, self.truth[~held], test, one) for one in penalties]
        return torch.from_numpy(np.stack(fits)[None, :, :, None])

    def _texts(self, which: Bool[np.ndarray, " row"]) -> list[str]:
        return [text for text, wanted in zip(self.texts, which, strict=True) if wanted]

    def _predict(self, train: Any, truth: np.ndarray, test: Any, penalty: float) -> np.ndarray:
        from sklearn.linear_model import LogisticRegression, Ridge

        if not self.classes:
            return Ridge(alpha=penalty).fit(train, truth).predict(test)
        if np.ptp(truth) == 0:
            return np.zeros(test.shape[0])
        with warnings.catch_warnings():  # a baseline need not converge to the last digit
            warnings.simplefilter("ignore")
            model = LogisticRegression(C=1 / penalty, max_iter=200).fit(train, truth)
        return model.decision_function(test)
