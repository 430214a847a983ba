"""A fitted probe: a linear map of raw activations that knows where it belongs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.activations import Activations, Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.models.model import ModelInfo
from sonde.stats.interval import Interval

Kind = Literal["ridge", "logistic", "mean_difference"]

_OTHER = "Use the model that the probe was fitted on, or pass allow_other_model=True to try it."


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A fitted map from the activations at one hook point and position to a label or a number.

    ``x @ weight + bias`` takes raw activations: the standardisation by ``mean`` and ``scale`` of
    the training rows is folded in (``weight * scale`` are the standardised coefficients).
    ``labels`` are (negative, positive) where there are classes. ``penalty`` is ridge's alpha or
    logistic's 1/C; 0 for a mean difference. ``training_data`` is the fingerprint of the data and
    labels it was fitted on, ``metrics`` the cross-validated scores, the shuffled-label control and
    the bag-of-tokens baseline.
    """

    kind: Kind
    hook: HookPoint
    position: str
    weight: Float[Tensor, " d_model"]
    bias: float
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]
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
    def direction(self) -> Float[Tensor, " d_model"]:
        """The direction in the space of raw activations along which the score rises; unit length.

        Raises:
            SondeError: the weight is zero.
        """
        length = self.weight.norm()
        if length == 0:
            raise SondeError("The probe's weight is zero: it has no direction.")
        return self.weight / length

    def score(self, x: Float[Tensor, "row *d_model"]) -> Float[Tensor, " row"]:
        """Return what the probe says of raw activations, as float64.

        Logistic: the probability of ``labels[1]``. Ridge: the predicted number. Mean difference:
        ``weight . (x - midpoint)``, above 0 nearer ``labels[1]``'s mean along the difference.

        Raises:
            SondeError: the width is wrong.
        """
        linear = self._linear(x)
        return torch.sigmoid(linear) if self.kind == "logistic" else linear

    def logit(self, x: Float[Tensor, "row *d_model"]) -> Float[Tensor, " row"]:
        """Return the log-odds of ``labels[1]``.

        Raises:
            SondeError: the width is wrong, or the probe is not logistic and has no log-odds.
        """
        if self.kind != "logistic":
            raise SondeError(f"A {self.kind} probe has no logits.", fix="Use score().")
        return self._linear(x)

    def _linear(self, x: Tensor) -> Tensor:
        rows = x.flatten(1) if x.ndim > 2 else x  # heads follow one another
        if rows.ndim != 2 or rows.shape[1] != len(self.weight):
            raise SondeError(
                f"Activations of shape {list(x.shape)} do not fit the probe, which takes "
                f"[row, {len(self.weight)}].",
                fix=f"Give the activations at {self.hook} of the model {self.origin.model!r}.",
            )
        return rows.to(torch.float64) @ self.weight.to(x.device) + self.bias

    def apply(self, acts: Activations, *, allow_other_model: bool = False) -> Float[Tensor, " row"]:
        """Score every row of the activations at the probe's hook point, whatever its position.

        Raises:
            SondeError: the activations are of another model, have none at the hook point, or have
                another width.
        """
        if not allow_other_model:
            self._same_model(acts.origin.model, acts.origin.revision, acts.origin.model_fingerprint)
        if self.hook not in acts.hooks:
            raise SondeError(
                f"The probe reads {self.hook}, where there are no activations.",
                fix=f"Extract with hooks={str(self.hook)!r}; there are "
                f"{', '.join(map(str, acts.hooks))}.",
            )
        return self.score(acts.tensor(self.hook))

    def check(self, info: ModelInfo, *, allow_other_model: bool = False) -> None:
        """Refuse a model that the probe was not fitted on.

        ``allow_other_model`` lets another model of the same width and depth pass.

        Raises:
            SondeError: the model's weights, width or depth are not the probe's.
        """
        if not allow_other_model:
            self._same_model(info.name, info.revision, info.fingerprint)
        if len(self.weight) != info.d_model and str(self.hook.site) != "head_out":
            raise SondeError(
                f"The probe has width {len(self.weight)}; {info.name} has {info.d_model}.",
                fix=f"Use the probe with {self.origin.model or 'its own model'}.",
            )
        if self.hook.layer >= info.n_layers:
            raise SondeError(
                f"The probe reads {self.hook}; {info.name} has {info.n_layers} blocks.",
                fix=f"Use the probe with {self.origin.model or 'its own model'}.",
            )

    def _same_model(self, name: str, revision: str | None, fingerprint: str) -> None:
        """Compare the weights where both are known, else the names."""
        own = self.origin
        if own.model_fingerprint and fingerprint:
            if own.model_fingerprint == fingerprint:
                return
        elif (own.model, own.revision) == (name, revision or ""):
            return
        raise SondeError(
            f"The probe was fitted on {_named(own.model, own.revision, own.model_fingerprint)}, "
            f"not on {_named(name, revision or '', fingerprint)}.",
            fix=_OTHER,
        )

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


def _named(name: str, revision: str, fingerprint: str) -> str:
    if not name and not fingerprint:
        return "an unnamed model"
    parts = [name or "a model"]
    if revision:
        parts.append(f"revision {revision}")
    if fingerprint:
        parts.append(f"weights {fingerprint[:12]}")
    return " ".join([parts[0], *(f"({part})" for part in parts[1:])])
