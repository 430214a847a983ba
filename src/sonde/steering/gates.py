"""Gates of steering: an edit that reaches a token only where a linear probe says so."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from sonde.core.edits import Gate, Scope
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.steering.answering import Session
from sonde.steering.candidates import Arm
from sonde.steering.joint import JointVectors
from sonde.steering.monitoring import batches, reached, transcripts

if TYPE_CHECKING:
    from sonde.probes.probe import Probe


def probe_gate(probe: "Probe", *, above: float = 0.0, chance: float | None = None) -> Gate:
    """Return a gate that is open at the tokens of which a probe says more than ``above``.

    ``above`` is a bound on what the probe says of raw activations: the log-odds of ``labels[1]``, a
    distance, a predicted number. ``chance`` is one on the probability of ``labels[1]`` instead:
    log(chance / (1 - chance)) on the log-odds.

    Raises:
        SondeError: the probe is not linear or says several numbers, ``chance`` is not between 0 and
            1, or the probe says no probability.
    """
    from sonde.probes.reader import Linear

    reader = probe.reader
    if not isinstance(reader, Linear):
        why = "it reads an example's tokens together" if reader.pools else "it is not linear"
        raise SondeError(
            f"A {probe.kind} probe cannot be a gate: {why}, and a gate asks each token alone, by "
            "one product with a weight, while the pass goes on.",
            fix="Fit a linear kind, such as logistic.",
        )
    if len(reader.weight) > 1:
        raise SondeError(
            f"This {probe.kind} probe cannot be a gate: it says {len(reader.weight)} numbers of a "
            f"token ({', '.join(probe.labels[:5])}).",
            fix="Fit one of two classes, or of one number.",
        )
    return Gate(probe.hook, reader.weight[0], float(reader.bias[0]), _limit(probe, above, chance))


def check_gate(gate: Gate, joints: Iterable[JointVectors]) -> None:
    """Refuse a gate that the pass comes to after an edit, or that would read the edits themselves.

    Of vectors at several layers all must ask it of the same activations, so it lies before them.

    Raises:
        SondeError: it does not.
    """
    for joint in joints:
        first = joint.first.hook
        late = gate.hook.depth > first.depth
        if late or (len(joint.vectors) > 1 and _place(gate.hook) == _place(first)):
            why = (
                "which the pass comes to later"
                if late
                else "so that later blocks would ask it of activations that are steered already"
            )
            raise SondeError(
                f"{joint.name} is steered from {first} on, and the gate reads {gate.hook}, {why}.",
                fix="Choose a probe of an earlier block (in an experiment file: `gate: {at: …}`), "
                "or steer later ones.",
            )


def open_share(session: Session, gate: Gate, scope: Scope) -> float:
    """Return the share of tokens within reach, of unsteered answers, that a gate is open at.

    0 to 1; NaN where an edit of this scope would reach no token. 0 says that steering with the gate
    does nothing, 1 that the gate does nothing.
    """
    texts = transcripts(session, Arm())
    n_open = n_reached = 0
    for numbers in batches(texts):
        part = [texts[number] for number in numbers]
        batch = pad_batch([(*one.prompt, *one.answer) for one in part], device=session.model.device)
        x = forward(session.model, batch, capture=[gate.hook]).activations[gate.hook].flatten(2)
        place = torch.arange(x.shape[1], device=x.device)[None, :]
        n_prompt = torch.tensor([len(one.prompt) for one in part], device=x.device)[:, None]
        n_answer = torch.tensor([len(one.answer) for one in part], device=x.device)[:, None]
        within = reached(scope, place - n_prompt) & (place < n_prompt + n_answer)
        n_open += int((gate.open(x)[..., 0] & within).sum())
        n_reached += int(within.sum())
    return n_open / n_reached if n_reached else math.nan


def _limit(probe: "Probe", above: float, chance: float | None) -> float:
    if chance is None:
        return above
    if not 0 < chance < 1:
        raise SondeError(
            f"A gate cannot open at a chance of {chance:g}.", fix="Give one between 0 and 1."
        )
    if probe.says != "logit":
        raise SondeError(
            f"A {probe.kind} probe says no probability, so a gate cannot be bounded by a chance.",
            fix="Bound what it says (above=…), or fit a logistic probe.",
        )
    return math.log(chance / (1 - chance))


def _place(hook: HookPoint) -> tuple[int, Site]:
    """Return where a hook point reads the stream: after a block is before the next one."""
    if hook.site is Site.RESID_POST:
        return hook.layer + 1, Site.RESID_PRE
    return hook.layer, hook.site
