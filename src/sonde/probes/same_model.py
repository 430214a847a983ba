"""Whether a probe may read a model: the weights, the width and the depth that it was fitted on."""

from typing import TYPE_CHECKING

from sonde.activations.origin import Origin, model_in_words
from sonde.core.errors import SondeError
from sonde.models.model import ModelInfo

if TYPE_CHECKING:
    from sonde.probes.probe import Probe


def check_model(probe: "Probe", info: ModelInfo, *, allow_other_model: bool) -> None:
    """Refuse a model that a probe was not fitted on, or cannot read.

    Raises:
        SondeError: the weights are others, which may be allowed, or the width or depth is.
    """
    if not allow_other_model:
        refuse_other_model(probe.origin, info.name, info.revision, info.fingerprint)
    if probe.d_model != info.d_model and str(probe.hook.site) != "head_out":
        raise SondeError(
            f"The probe has width {probe.d_model}; {info.name} has {info.d_model}.",
            fix=f"Use the probe with {probe.origin.model or 'its own model'}.",
        )
    if probe.hook.layer >= info.n_layers:
        raise SondeError(
            f"The probe reads {probe.hook}; {info.name} has {info.n_layers} blocks.",
            fix=f"Use the probe with {probe.origin.model or 'its own model'}.",
        )


def refuse_other_model(own: Origin, name: str, revision: str | None, fingerprint: str) -> None:
    """Compare the weights where both are known, else the names.

    Raises:
        SondeError: they differ.
    """
    if own.model_fingerprint and fingerprint:
        if own.model_fingerprint == fingerprint:
            return
    elif (own.model, own.revision) == (name, revision or ""):
        return
    fitted_on = model_in_words(own.model, own.revision, own.model_fingerprint)
    given = model_in_words(name, revision or "", fingerprint)
    raise SondeError(
        f"The probe was fitted on {fitted_on}, not on {given}.",
        fix="Use the model that the probe was fitted on, or pass allow_other_model=True to try it.",
    )
