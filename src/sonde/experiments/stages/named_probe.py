"""The probe of a probe stage that another stage's setting names, by its block or by its score."""

from typing import TYPE_CHECKING

from sonde.core.errors import SondeError

if TYPE_CHECKING:
    from sonde.probes.probe import Probe
    from sonde.probes.results import ProbeResults


def named_probe(place: str, stage: str, at: int | None, found: "ProbeResults") -> "Probe":
    """Return the probe of a block, or the one with the highest score where none is named.

    Of several at a block, at other positions, it is the one with the highest score.

    Args:
        place: the setting, as in ``gate``, whose ``at`` an error names.
        stage: the name of the probe stage.
        at: the block.
        found: what the stage gives.

    Raises:
        SondeError: no probe is of that block.
    """
    if at is None:
        return found.best
    there = [one for one in found.layers if one.hook.layer == at]
    if not there:
        blocks = sorted({one.hook.layer for one in found.layers})
        raise SondeError(
            f"`{place}.at` is block {at}, and {stage} has probes of {', '.join(map(str, blocks))}.",
            fix="Name one of these, or let the activations be read there too.",
        )
    known = [one for one in there if one.score.value == one.score.value]
    return max(known or there, key=lambda one: one.score.value).probe
