"""``gate`` of a search: edits reach a token only where a probe of the experiment says so."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.experiments.stage import Stage
from sonde.experiments.stages.named_probe import named_probe
from sonde.probes.settings.networks import NetworkSettings

if TYPE_CHECKING:
    from sonde.core.edits import Gate
    from sonde.models.model import Model
    from sonde.probes.results import ProbeResults


class GateSettings(Config):
    """A linear probe that decides, token by token, whether the edits reach it."""

    probe: str = Field(description="The probe stage; its kind must be linear.")
    at: int | None = Field(
        default=None,
        ge=0,
        description="The block whose probe decides, at or before those that are steered; the one "
        "with the highest score if none is named.",
    )
    above: float = Field(
        default=0.0,
        description="The gate is open where the probe says more than this: log-odds, a distance or "
        "a number.",
    )
    chance: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="The same as a probability, in place of `above`, for probes that have one.",
    )

    @model_validator(mode="after")
    def _one_bound(self) -> "GateSettings":
        if self.chance is not None and "above" in self.model_fields_set:
            raise ValueError("a gate has `above` or `chance`, not both")
        return self


def check_gate_settings(
    gate: GateSettings, steered: Sequence[Sequence[int]], stages: Mapping[str, Stage]
) -> None:
    """Refuse what a gate cannot be made of, as far as the settings of its probe show it.

    Args:
        gate: the settings.
        steered: the blocks of each entry of ``layers``; none where they are not known yet.
        stages: of the experiment.

    Raises:
        SondeError: see above.
    """
    method = getattr(stages[gate.probe], "method", None)
    kind = getattr(method, "kind", "")
    if isinstance(method, NetworkSettings):
        raise SondeError(
            f"`gate` names {gate.probe!r}, whose kind is {kind}: a gate asks each token alone, by "
            "one product with a weight, so only linear probes can be one.",
            fix="Name a probe stage of a linear kind, such as logistic or mean_difference.",
        )
    says = getattr(method, "says", None)
    if says == "logits":
        raise SondeError(
            f"`gate` names {gate.probe!r}, whose kind is {kind}: it says a number for each class, "
            "and a gate is open or not by one.",
            fix="Name a probe stage of two classes, such as logistic.",
        )
    if gate.chance is not None and says is not None and says != "logit":
        raise SondeError(
            f"`gate.chance` is given, and {gate.probe} ({kind}) says no probability.",
            fix="Give `above`, a bound on what it says, or name a logistic probe.",
        )
    late = [blocks[0] for blocks in steered if gate.at is not None and gate.at > blocks[0]]
    if late:
        raise SondeError(
            f"`gate.at` is block {gate.at}, and block {min(late)} is steered before the pass comes "
            "to it.",
            fix="Name a block at or before the first that is steered.",
        )


def gate_made(
    gate: GateSettings, found: "ProbeResults", model: "Model", *, allow_other_model: bool
) -> "Gate":
    """Return the gate, of the probe with the highest score or that of the block named.

    Raises:
        SondeError: no probe is of that block, it is of another model, or it cannot be a gate.
    """
    from sonde.steering.gates import probe_gate

    probe = named_probe("gate", gate.probe, gate.at, found)
    probe.check(model.info, allow_other_model=allow_other_model)
    return probe_gate(probe, above=gate.above, chance=gate.chance)
