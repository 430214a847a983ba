"""The bag of tokens: what the words alone say, without the model."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.probes.settings import Says

WORD = r"(?u)\w+|[^\w\s]"  # a word, or one mark of punctuation


COMMONEST = 2000  # words of which dense counts are kept


def word_counts(texts: Sequence[str]) -> Float[np.ndarray, "row word"]:
    """Count each text's words: the commonest of those that two texts have.

    A word that none of a fit's training texts has is a constant to it, and gets no weight.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(token_pattern=WORD, min_df=2, max_features=COMMONEST)
    try:
        counts: Any = counter.fit_transform(texts)
    except ValueError:  # no two texts share a word
        return np.empty((len(texts), 0))
    return counts.toarray().astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class BagOfTokens:
    """Counts of words and punctuation, the vocabulary taken from each fit's training texts.

    Logistic regression where there are classes (ridge for numbers), scikit-learn's. A predictor of
    one layer, so that the penalty is chosen inside the training folds like a probe's.
    """

    texts: Sequence[str]
    truth: Float[np.ndarray, "row target"]
    folds: Int[np.ndarray, " row"]
    says: Says
    n_classes: int

    def held_out(self, left_out: Sequence[int], penalties: Sequence[float]) -> Any:
        """Fit without the folds ``left_out`` and predict their rows."""
        import torch
        from sklearn.feature_extraction.text import CountVectorizer

        held = np.isin(self.folds, left_out)
        counter = CountVectorizer(token_pattern=WORD)
        try:
            train = counter.fit_transform(self._texts(~held))
        except ValueError:  # no word at all: nothing but the mean to go by
            numbers = self.says == "number"
            outputs = self.n_classes if self.says == "logits" else 1
            mean = self.truth[~held].mean(axis=0) if numbers else np.zeros(outputs)
            said = np.broadcast_to(mean, (len(penalties), int(held.sum()), len(mean))).copy()
        else:
            test = counter.transform(self._texts(held))
            said = np.stack(
                [self._predict(train, self.truth[~held], test, one) for one in penalties]
            )
        return torch.from_numpy(said)[None, :, :, None]

    def _texts(self, which: Bool[np.ndarray, " row"]) -> list[str]:
        return [text for text, wanted in zip(self.texts, which, strict=True) if wanted]

    def _predict(
        self, train: Any, truth: np.ndarray, test: Any, penalty: float
    ) -> Float[np.ndarray, "held output"]:
        from sklearn.linear_model import LogisticRegression, Ridge
        from threadpoolctl import threadpool_limits

        if self.says == "number":
            said = Ridge(alpha=penalty).fit(train, truth).predict(test)
            return said.reshape(len(said), -1)
        several = self.says == "logits"
        there = np.unique(truth)
        if len(there) == 1:
            said = np.zeros((test.shape[0], self.n_classes if several else 1))
            said[:, int(there[0]) if several else 0] = 1.0 if several else 0.0
            return said
        # Its steps are tiny, and where other work shares the cores BLAS' threads wait for each
        # other at each: one is then a hundred times as fast.
        with threadpool_limits(1, "blas"), warnings.catch_warnings():
            # A baseline need not converge to the last digit.
            warnings.simplefilter("ignore")
            model = LogisticRegression(C=1 / penalty, max_iter=200).fit(train, truth[:, 0])
        logits = model.decision_function(test)
        if not several:
            return logits[:, None]
        said = np.full((len(logits), self.n_classes), -np.inf)
        two = logits.ndim == 1  # of several classes two were there to learn
        said[:, there.astype(int)] = np.stack([-logits, logits], axis=1) if two else logits
        return said
