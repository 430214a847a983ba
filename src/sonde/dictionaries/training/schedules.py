"""What changes with the step: learning rate, k, the weight of a penalty."""

import math

from sonde.core.errors import SondeError
from sonde.dictionaries.training.settings import Training


def check_schedules(training: Training, steps: int) -> None:
    """Refuse schedules that do not fit into the steps.

    A k that still moves at the end would leave a dictionary that was never trained with its own.

    Raises:
        SondeError: they do not.
    """
    decay = training.decay_steps or 0
    if training.warmup + decay > steps or training.warmup >= steps:
        raise SondeError(
            f"{steps:,} steps do not hold a warm-up of {training.warmup:,} and a decay of "
            f"{decay:,}.",
            fix="Train on more tokens, or shorten warmup and decay_steps.",
        )
    moving = {"penalty_warmup": training.penalty_warmup}
    if training.k_start is not None:
        moving["k_steps"] = training.k_steps
    for name, length in moving.items():
        if length > steps:
            raise SondeError(
                f"{name} is {length:,}, and training ends after {steps:,} steps.",
                fix=f"Set {name}: {max(1, steps // 10)}, or train on more tokens.",
            )


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Return the learning rate of step ``step`` of ``steps``, counted from 0.

    Linear: lr (1 - (1 - end) u); cosine: lr (end + (1 - end) (1 + cos(pi u)) / 2), with u from 0
    to 1 over the decay. The first step of a warm-up has lr / warmup.
    """
    if step < training.warmup:
        return training.lr * (step + 1) / training.warmup
    if training.decay == "none":
        return training.lr
    length = training.decay_steps or steps - training.warmup
    u = min(1.0, max(0, step - (steps - length)) / length)
    if training.decay == "cosine":
        u = (1 - math.cos(math.pi * u)) / 2
    return training.lr * (1 - (1 - training.lr_end) * u)


def k_at(training: Training, k: int, step: int) -> int:
    """Return the k of a step, which moves evenly from ``k_start`` to the sparsity's own."""
    if training.k_start is None or step >= training.k_steps:
        return k
    moved = training.k_start + (k - training.k_start) * step / training.k_steps
    return max(1, round(moved))


def penalty_at(training: Training, weight: float, step: int) -> float:
    """Return the weight of the sparsity's penalty, which rises from 0 in the warm-up."""
    return weight * min(1.0, step / training.penalty_warmup) if training.penalty_warmup else weight
