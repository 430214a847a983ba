"""The direction that makes a model likelier to answer as the positive side does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.edits import Add, Edit, Scope
from sonde.core.hooks import HookPoint
from sonde.models.forward import TokenBatch, differentiable_forward, pad_batch
from sonde.models.model import Model
from sonde.vectors.settings import GradientSettings

SAYS = (
    "direction that most raises the mean log-likelihood of positive responses less that of "
    "negative ones"
)
LOGITS_AT_ONCE = 1 << 28  # bytes of float32 logits in one pass


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A prompt with its response as tokens; the likelihood of ``start`` to ``stop`` counts.

    ``weight`` is one over the number of answers of its side, negative on the negative side.
    """

    ids: Int[np.ndarray, " pos"]
    start: int
    stop: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """What is optimised: the vectors of some hook points, each by itself, on the same answers.

    ``bounds`` are the largest lengths, in the activations' unit; ``free`` marks the coordinates
    that may be used.
    """

    model: Model
    answers: tuple[Answer, ...]
    hooks: tuple[HookPoint, ...]
    bounds: Float[Tensor, " hook"]
    free: Bool[Tensor, " d_model"]

    def part(self, at: slice) -> "Climb":
        """Keep some hook points."""
        return Climb(self.model, self.answers, self.hooks[at], self.bounds[at], self.free)


def gradient(climb: Climb, settings: GradientSettings) -> Float[Tensor, "hook d_model"]:
    """Return for each hook point the v with |v| <= bound that maximises J(v), as far as it gets.

    J(v) = mean over positive answers of the mean log-likelihood of their tokens, in nats, less the
    same over negative answers, with v added from the last token of the prompt on. Projected
    gradient ascent: the first step goes to the bound along the slope at v = 0, which one backward
    pass gives at every hook point, and is the answer for ``steps`` 0; each further one moves by
    ``learning_rate`` bounds / sqrt(step) along the slope, with all hook points as rows of the same
    batches. The best v on the way is returned.

    Subramani, Suresh and Peters (2022), "Extracting Latent Steering Vectors from Pretrained
    Language Models", optimise a vector for one text by its likelihood.
    """
    width = len(climb.free)
    start = torch.zeros(len(climb.hooks), width, device=climb.model.device)
    everywhere = tuple(range(len(climb.hooks)))
    rows = [(answer, everywhere) for answer in range(len(climb.answers))]
    slope, _ = _slope(climb, start, rows)
    found = climb.bounds[:, None] * _unit(slope)
    if settings.steps == 0:
        return found
    size = settings.layers_at_once
    parts = [slice(at, at + size) for at in range(0, len(climb.hooks), size)]
    return torch.cat([_climbed(climb.part(part), found[part], settings) for part in parts])


def _climbed(
    climb: Climb, v: Float[Tensor, "hook d_model"], settings: GradientSettings
) -> Float[Tensor, "hook d_model"]:
    rows = [
        (answer, (hook,))
        for hook in range(len(climb.hooks))
        for answer in range(len(climb.answers))
    ]
    best, highest = v, torch.full_like(climb.bounds, -torch.inf)
    for step in range(1, settings.steps + 2):
        slope, value = _slope(climb, v, rows)
        better = value > highest
        highest = torch.where(better, value, highest)
        best = torch.where(better[:, None], v, best)
        reach = settings.learning_rate / step**0.5 * climb.bounds[:, None]
        v = v + reach * _unit(slope)
        length = v.norm(dim=1, keepdim=True).clamp(min=1e-30)
        v = v * (climb.bounds[:, None] / length).clamp(max=1)
    return best


def _unit(slope: Float[Tensor, "hook d_model"]) -> Float[Tensor, "hook d_model"]:
    return slope / slope.norm(dim=1, keepdim=True).clamp(min=1e-30)


def _slope(
    climb: Climb, v: Float[Tensor, "hook d_model"], rows: Sequence[tuple[int, tuple[int, ...]]]
) -> tuple[Float[Tensor, "hook d_model"], Float[Tensor, " hook"]]:
    """Return the gradient of J at each hook point and J there.

    A row is an answer with the hook points at which it is edited.
    """
    slope, value = torch.zeros_like(v), torch.zeros(len(v), device=v.device)
    order = sorted(rows, key=lambda row: len(climb.answers[row[0]].ids))
    longest = len(climb.answers[order[-1][0]].ids)
    size = max(1, LOGITS_AT_ONCE // (longest * climb.model.info.d_vocab * 4))
    for at in range(0, len(order), size):
        part = order[at : at + size]
        leaves = [one.clone().requires_grad_() for one in v]
        with torch.enable_grad():
            each = _objectives(climb, leaves, part)
            grads = torch.autograd.grad(each.sum(), leaves, allow_unused=True)
        for hook, grad in enumerate(grads):
            if grad is not None:
                slope[hook] += grad
            own = [number for number, (_, hooks) in enumerate(part) if hook in hooks]
            value[hook] += each.detach()[own].sum()
    return slope * climb.free.to(v), value


def _objectives(
    climb: Climb, leaves: Sequence[Tensor], rows: Sequence[tuple[int, tuple[int, ...]]]
) -> Float[Tensor, " row"]:
    """Return each row's weighted mean log-likelihood of the tokens that count."""
    model = climb.model
    answers = [climb.answers[answer] for answer, _ in rows]
    batch = pad_batch([one.ids for one in answers], device=model.device)
    reached = _reached(answers, batch)
    edits: list[Edit] = []
    for number, (hook, leaf) in enumerate(zip(climb.hooks, leaves, strict=True)):
        here = torch.tensor([number in hooks for _, hooks in rows], device=model.device)
        if bool(here.any()):
            edits.append(Add(hook, leaf, 1.0, Scope(rows=here, tokens=reached)))
    logits = differentiable_forward(model, batch, edits=edits, logits=True).logits
    assert logits is not None
    found: list[Tensor] = []
    for row, one in enumerate(answers):
        said = logits[row, one.start - 1 : one.stop - 1].float().log_softmax(dim=-1)
        wanted = batch.ids[row, one.start : one.stop, None]
        found.append(one.weight * said.gather(1, wanted).mean())
    return torch.stack(found)


def _reached(answers: Sequence[Answer], batch: TokenBatch) -> Bool[Tensor, "batch pos"]:
    """Mark the last token of each prompt and its response."""
    place = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    first = torch.tensor([one.start - 1 for one in answers], device=batch.ids.device)
    return (place >= first[:, None]) & (place < batch.lengths[:, None])
