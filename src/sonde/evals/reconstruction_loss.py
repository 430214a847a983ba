"""What reconstructions do to a model's predictions: cross-entropy recovered, and KL.

Arms take the place of the targets' activations at every row that counts: what a dictionary makes of
them, zeros, their mean. All arms read the same tokens, so every comparison is paired. Sources are
those of the unedited model: of several targets at different depths each is reconstructed from what
the model itself had, not from what other reconstructions make of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.shuffled_rows import RowLimits
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.dictionaries.metrics_sums import UnitSums
from sonde.evals.arms import Arm
from sonde.evals.patched_pass import Captured, captures, hidden_pass
from sonde.evals.texts import EvalTexts
from sonde.models.batch import TokenBatch
from sonde.models.head import head_logits
from sonde.models.model import Model
from sonde.stats.scores import Scores

LOGITS = 1 << 24  # numbers that are made of a vocabulary at once
CLEAN, ZERO, MEAN = "clean", "zero", "mean"
ABLATIONS = (ZERO, MEAN)


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Sums over the tokens that rows predict, unit by unit, in nats.

    ``cross_entropy`` and ``divergence`` hold for each arm ``[unit]``; ``clean`` is the unedited
    model, whose divergence is 0. ``divergence`` is KL(clean || arm) of the next token.
    """

    unit: np.ndarray
    n_tokens: Int[np.ndarray, " unit"]
    cross_entropy: Mapping[str, Float[np.ndarray, " unit"]]
    divergence: Mapping[str, Float[np.ndarray, " unit"]]

    def recovered(self, arm: str, ablation: str = ZERO) -> Scores:
        """Cross-entropy recovered: (CE_ablated - CE_arm) / (CE_ablated - CE_clean).

        A ratio of sums. 1 is the unedited model, 0 no better than the ablation, negative worse.
        Unitless. NaN where the ablation does no harm.
        """
        above = self.cross_entropy[ablation] - self.cross_entropy[arm]
        return self._scores(above, self.cross_entropy[ablation] - self.cross_entropy[CLEAN])

    def kl(self, arm: str) -> Scores:
        """KL(clean || arm): the mean over tokens of sum_v p(v) (log p(v) - log q(v)), in nats."""
        return self._scores(self.divergence[arm], self.n_tokens)

    def loss(self, arm: str) -> Scores:
        """Cross-entropy of an arm: the mean over tokens of -log q(next token), in nats."""
        return self._scores(self.cross_entropy[arm], self.n_tokens)

    def added(self, arm: str) -> Scores:
        """Cross-entropy of an arm less that of the unedited model, in nats a token."""
        return self._scores(self.cross_entropy[arm] - self.cross_entropy[CLEAN], self.n_tokens)

    def _scores(self, above: np.ndarray, below: np.ndarray) -> Scores:
        return Scores("ratio", self.unit, above, below.astype(np.float64))


def losses(
    model: Model,
    texts: EvalTexts,
    hooks: tuple[Sequence[HookPoint], Sequence[HookPoint]],
    arms: Sequence[Arm],
    means: Sequence[Float[Tensor, " _"]],
    limits: RowLimits,
) -> Losses:
    """Return the losses of the unedited model, of both ablations and of every arm.

    Args:
        model: the model.
        texts: which tokens count; the others keep their activations.
        hooks: the sources and the targets.
        arms: what makes targets of sources.
        means: the mean of each target, for the ablation.
        limits: from which norm a row is a sink, which keeps its activations too.

    Raises:
        SondeError: no token that counts has a next one in its text.
    """
    sources, targets = hooks
    names = [CLEAN, *ABLATIONS, *(arm.name for arm in arms)]
    sums = UnitSums(1 + 2 * len(names))
    for found in captures(model, texts, [*sources, *targets], limits, hidden=True):
        longest = found.token.shape[1]
        batch = TokenBatch(
            torch.from_numpy(texts.ids[found.which, :longest]).to(model.device),
            torch.from_numpy(texts.lengths[found.which]).to(model.device),
        )
        predicts = found.kept[:, :-1] & _inside(texts, found, longest)
        if not bool(predicts.any()):
            continue
        assert found.hidden is not None
        states = [found.hidden[:, :-1][predicts]]
        for values in _replaced(found, hooks, arms, means):
            _, hidden = hidden_pass(model, batch, (), values, found.kept)
            states.append(hidden[:, :-1][predicts])
        unit = texts.document[found.which, : longest - 1][predicts.cpu().numpy()]
        sums.add(unit, _compared(model, states, batch.ids[:, 1:][predicts]))
    return _of_sums(texts, sums, names)


def _of_sums(texts: EvalTexts, sums: UnitSums, names: Sequence[str]) -> Losses:
    table = sums.of(int(texts.document.max()) + 1)
    there = np.flatnonzero(table[:, 0] > 0)
    if not len(there):
        raise SondeError(
            "No token that counts has a next one, so there is nothing to predict.",
            fix="Give longer texts.",
        )
    n_tokens, *rest = table[there].T
    return Losses(
        texts.unit(there),
        n_tokens.astype(np.int64),
        dict(zip(names, rest[: len(names)], strict=True)),
        dict(zip(names, rest[len(names) :], strict=True)),
    )


def _replaced(
    found: Captured,
    hooks: tuple[Sequence[HookPoint], Sequence[HookPoint]],
    arms: Sequence[Arm],
    means: Sequence[Tensor],
) -> list[dict[HookPoint, Tensor]]:
    """Return what stands at the targets in each arm, ``[text, pos, width]``."""
    sources, targets = hooks
    there = [found.activations[hook] for hook in targets]
    made = [[torch.zeros_like(x) for x in there]]
    made.append([mean.to(x).expand_as(x) for mean, x in zip(means, there, strict=True)])
    rows = [found.activations[hook][found.kept] for hook in sources]
    for arm in arms:
        parts = arm.targets(rows)
        made.append([_laid_out(part, x, found.kept) for part, x in zip(parts, there, strict=True)])
    return [dict(zip(targets, values, strict=True)) for values in made]


def _laid_out(rows: Tensor, like: Tensor, kept: Tensor) -> Tensor:
    found = torch.zeros_like(like)
    found[kept] = rows.to(like)
    return found


def _inside(texts: EvalTexts, found: Captured, longest: int) -> Tensor:
    """Mark the tokens that have a next one."""
    lengths = torch.from_numpy(texts.lengths[found.which]).to(found.kept.device)
    return torch.arange(longest - 1, device=found.kept.device) < lengths[:, None] - 1


def _compared(
    model: Model, states: Sequence[Float[Tensor, "row d_model"]], following: Int[Tensor, " row"]
) -> Float[Tensor, "row value"]:
    """Return for each row a one, each arm's cross-entropy, and its divergence from the first."""
    found = []
    for here in torch.arange(len(following)).split(max(1, LOGITS // model.info.d_vocab)):
        rows = here.to(following.device)
        entropy, divergence, plain = [], [], None
        for state in states:
            with torch.no_grad():
                log = head_logits(model, state[rows]).float().log_softmax(dim=-1)
            plain = log if plain is None else plain
            at = following[rows].to(log.device)
            entropy.append(-log.gather(-1, at[:, None])[:, 0])
            divergence.append((plain.exp() * (plain - log)).sum(dim=-1).clamp(min=0))
        ones = torch.ones_like(entropy[0])
        found.append(torch.stack([ones, *entropy, *divergence], dim=1).double())
    return torch.cat(found)
