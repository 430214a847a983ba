"""The bag of tokens: what the words alone say, without the model."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

WORD = r"(?u)\w+|[^\w\s]"  # a word, or one mark of punctuation


@dataclass(frozen=True, slots=True, eq=False)
class BagOfTokens:
    """Counts of words and punctuation, the vocabulary taken from each fit's training texts.

    Logistic regression where there are classes (ridge for numbers), scikit-learn's. A predictor of
    one layer, so that the penalty is chosen inside the training folds like a probe's.
    """

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
