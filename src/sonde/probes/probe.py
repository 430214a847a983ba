"""A fitted probe: a map of raw activations that knows where it belongs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import Activations, Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.core.words import in_words
from sonde.data.examples import Example
from sonde.models.model import Model, ModelInfo
from sonde.probes.reader import Linear, Reader, read_rows
from sonde.probes.same_model import check_model, refuse_other_model
from sonde.probes.settings import Says
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.probes.reading import TokenScore

Texts: TypeAlias = str | Example | Sequence[str] | Sequence[Example]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A fitted map from the activations at one hook point and position to labels or numbers.

    ``reader`` takes raw activations: the standardisation of the training rows is folded in.
    ``says`` is what its outputs are: numbers, the log-odds of the positive class, a logit a class,
    a distance, a utility. ``labels`` are the classes, (negative, positive) where there are two, or
    the names of several targets. ``penalty`` is ridge's alpha or logistic's 1/C; 0 where there is
    none. ``training_data`` is the fingerprint of the data and labels it was fitted on, ``metrics``
    the cross-validated scores, the controls and the baselines.
    """

    kind: str
    hook: HookPoint
    position: str
    reader: Reader
    says: Says
    labels: tuple[str, ...]
    penalty: float
    origin: Origin
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    training_data: str = ""
    n_rows: int = 0

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {value}" for name, value in sorted(self.metrics.items()))
        return f"{self.kind} probe of {self.hook} at {self.position}: {scores or 'not scored'}"

    @property
    def mean(self) -> Float[Tensor, " d_model"]:
        """The mean of the training rows."""
        return self.reader.tensors()["mean"]

    @property
    def scale(self) -> Float[Tensor, " d_model"]:
        """The spread of the training rows, by which a fit on standardised rows was divided."""
        return self.reader.tensors()["scale"]

    @property
    def d_model(self) -> int:
        """The width of the activations that it takes."""
        return len(self.mean)

    @property
    def n_outputs(self) -> int:
        """How many numbers it says of a row: one, or one a class or target."""
        return self.reader(torch.zeros(1, self.d_model, dtype=torch.float64)).shape[1]

    @property
    def weight(self) -> Float[Tensor, " d_model"] | Float[Tensor, "output d_model"]:
        """The weights on raw activations; one row an output where there are several.

        ``weight * scale`` are the standardised coefficients.

        Raises:
            SondeError: the probe is not linear.
        """
        weight = self._linear("weights").weight
        return weight[0] if len(weight) == 1 else weight

    @property
    def bias(self) -> float | Float[Tensor, " output"]:
        """The intercept, one an output where there are several.

        Raises:
            SondeError: the probe is not linear.
        """
        bias = self._linear("an intercept").bias
        return float(bias) if len(bias) == 1 else bias

    @property
    def direction(self) -> Float[Tensor, " d_model"]:
        """The direction in the space of raw activations along which the score rises; unit length.

        Raises:
            SondeError: the weight is zero, there are several outputs, or the probe is not linear.
        """
        weight = self._linear("a direction").weight
        if len(weight) > 1:
            raise SondeError(
                f"The probe has {len(weight)} outputs ({', '.join(self.labels[:5])}), each with a "
                "direction of its own.",
                fix="Take a row of its weight.",
            )
        length = weight[0].norm()
        if length == 0:
            raise SondeError("The probe's weight is zero: it has no direction.")
        return weight[0] / length

    def _linear(self, what: str) -> Linear:
        if not isinstance(self.reader, Linear):
            raise SondeError(
                f"A {self.kind} probe is not linear: it has no such thing as {what}.",
                fix="Use score(), or fit a linear kind.",
            )
        return self.reader

    def score(
        self,
        x: Float[Tensor, "row *d_model"] | Float[np.ndarray, "row *d_model"] | Texts,
        example: Int[Tensor, " row"] | None = None,
        *,
        model: Model | None = None,
    ) -> Float[Tensor, " row"] | Float[Tensor, "row output"]:
        """Return what the probe says of raw activations, or of texts, as float64.

        The probability of ``labels[1]``, of two classes, or of each of ``labels`` where there are
        several; a predicted number, or one a target; a distance that is above 0 on the side of
        ``labels[1]``; a utility.

        Args:
            x: activations at the probe's hook point; or a text, an example or several, for which
                ``model`` is run as ``read`` says.
            example: the number of each row's example, for a probe that reads an example's rows
                together, which then follow one another; by default all rows are of one.
            model: the model that the probe was fitted on, for texts.

        Raises:
            SondeError: the width is wrong, or texts are given without the model.
        """
        if isinstance(x, np.ndarray):
            x = torch.from_numpy(x)
        if not isinstance(x, Tensor):
            if model is None:
                raise SondeError(
                    "A probe reads activations; of a text it needs the model to make them.",
                    fix='Write probe.score(text, model=model), model = sonde.load("…").',
                )
            return self.read(model, x)
        said = self._read(x, example)
        if self.says == "logits":
            return torch.softmax(said, dim=1)
        said = said[:, 0] if said.shape[1] == 1 else said
        return torch.sigmoid(said) if self.says == "logit" else said

    def logit(
        self,
        x: Float[Tensor, "row *d_model"],
        example: Int[Tensor, " row"] | None = None,
    ) -> Float[Tensor, " row"] | Float[Tensor, "row output"]:
        """Return the log-odds of ``labels[1]``, or one logit a class where there are several.

        Raises:
            SondeError: the width is wrong, or the probe has no log-odds.
        """
        if self.says not in ("logit", "logits"):
            raise SondeError(f"A {self.kind} probe has no logits.", fix="Use score().")
        said = self._read(x, example)
        return said[:, 0] if self.says == "logit" else said

    def _read(self, x: Tensor, example: Tensor | None) -> Float[Tensor, "row output"]:
        rows = x.flatten(1) if x.ndim > 2 else x  # heads follow one another
        if rows.ndim != 2 or rows.shape[1] != self.d_model:
            raise SondeError(
                f"Activations of shape {list(x.shape)} do not fit the probe, which takes "
                f"[row, {self.d_model}].",
                fix=f"Give the activations at {self.hook} of the model {self.origin.model!r}.",
            )
        of = torch.zeros(len(rows), dtype=torch.int64) if example is None else example
        return read_rows(self.reader, rows, of).to(torch.float64)

    def apply(
        self, acts: Activations, *, allow_other_model: bool = False
    ) -> Float[Tensor, " row"] | Float[Tensor, "row output"]:
        """Score every row of the activations at the probe's hook point, whatever its position.

        A probe that reads an example's rows together gives each of them the example's score.

        Raises:
            SondeError: the activations are of another model, have none at the hook point, or have
                another width.
        """
        if not allow_other_model:
            given = acts.origin
            refuse_other_model(self.origin, given.model, given.revision, given.model_fingerprint)
        if self.hook not in acts.hooks:
            raise SondeError(
                f"The probe reads {self.hook}; the activations given are of "
                f"{in_words([str(hook) for hook in acts.hooks])}.",
                fix=f"Extract with hooks={str(self.hook)!r}.",
            )
        x = acts.tensor(self.hook)
        if not self.reader.pools:
            return self.score(x)
        _, example = np.unique(acts.rows.example, return_inverse=True)
        order = np.lexsort((acts.rows.token, example.reshape(-1)))
        said = self.score(x[order], torch.from_numpy(example.reshape(-1)[order]))
        return said[np.argsort(order)]

    def read(
        self, model: Model, data: Texts, *, allow_other_model: bool = False
    ) -> Float[Tensor, " example"] | Float[Tensor, "example output"]:
        """Score texts or examples at the probe's own position, one row each, in their order.

        The model is run as far as the probe's layer.

        Raises:
            SondeError: the model is another, a text does not have the position or is too long, or
                the position is of several tokens that the probe reads one by one.
        """
        from sonde.probes.reading import read_texts

        return read_texts(self, model, data, allow_other_model=allow_other_model)

    def tokens(
        self, model: Model, text: str | Example, *, allow_other_model: bool = False
    ) -> "tuple[TokenScore, ...]":
        """Score every token of one text; the model is run as far as the probe's layer.

        Raises:
            SondeError: the model is another, or the text is empty or too long.
        """
        from sonde.probes.reading import score_tokens

        return score_tokens(self, model, text, allow_other_model=allow_other_model)

    def check(self, info: ModelInfo, *, allow_other_model: bool = False) -> None:
        """Refuse a model that the probe was not fitted on.

        ``allow_other_model`` lets another model of the same width and depth pass.

        Raises:
            SondeError: the model's weights, width or depth are not the probe's.
        """
        check_model(self, info, allow_other_model=allow_other_model)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; see ``docs/reference/probes.md`` for its header."""
        from sonde.probes.artifact import save_probe

        return save_probe(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Probe":
        """Read a probe that ``save`` wrote.

        Raises:
            SondeError: the file is missing, damaged, or not a probe.
        """
        from sonde.probes.artifact import load_probe

        return load_probe(Path(path))
