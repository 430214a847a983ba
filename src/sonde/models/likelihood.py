"""How likely texts are, to the unedited model and under steering: passes over texts that are given.

Both models read the same tokens (teacher forcing), so what is compared does not hang on where a
text goes.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.models.given_texts import GivenText, ReadTexts, read_texts
from sonde.models.grid import GridRow
from sonde.models.grid_plan import DEFAULT_BUDGET, plan_rows
from sonde.models.head import head_logits
from sonde.models.model import Model
from sonde.models.prompt_pass import PromptStream

LOGITS = 2**24  # numbers that are made of a vocabulary at once


@dataclass(frozen=True, slots=True, eq=False)
class Likelihoods:
    """Of each text the sum of its tokens' log-likelihoods in nats, and how many tokens it has.

    Perplexity is ``exp(-total / n_tokens)``.
    """

    total: Float[np.ndarray, " row"]
    n_tokens: Int[np.ndarray, " row"]


@dataclass(frozen=True, slots=True, eq=False)
class TeacherForced:
    """Of each row, means over the tokens of its text, in nats a token; NaN of an empty text.

    ``divergence`` is KL(steered || unedited) of the next-token distributions, ``log_likelihood``
    the text's under steering.
    """

    divergence: Float[np.ndarray, " row"]
    log_likelihood: Float[np.ndarray, " row"]
    n_tokens: Int[np.ndarray, " row"]


def log_likelihoods(
    model: Model,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    *,
    token_budget: int | None = None,
) -> Likelihoods:
    """Return log p(continuation | prompt) of each pair under the unedited model.

    Pairs are token ids. Equal prompts are read once, and equal pairs scored once. An empty
    continuation has log-likelihood 0. ``token_budget`` is as in ``GridSettings``.

    Raises:
        SondeError: there are not as many prompts as continuations, or one does not fit.
    """
    rows = [GridRow(number) for number in range(len(prompts))]
    total = np.zeros(len(prompts))
    for read in read_texts(
        model, _given(model, prompts, continuations, rows), _budget(token_budget)
    ):
        for text, hidden in zip(read.texts, read.hidden, strict=True):
            total[list(text.rows)] = _of_text(model, hidden, text.tokens)
    return Likelihoods(total, _counts(continuations))


def steered_divergence(
    model: Model,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    rows: Sequence[GridRow],
    *,
    token_budget: int | None = None,
) -> Float[np.ndarray, " row"]:
    """Return the mean KL(steered || unedited) of each row, in nats a token; ``steered`` says more.

    Raises:
        SondeError: as ``teacher_forced``.
    """
    return teacher_forced(model, prompts, continuations, rows, token_budget=token_budget).divergence


def teacher_forced(
    model: Model,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    rows: Sequence[GridRow],
    *,
    token_budget: int | None = None,
) -> TeacherForced:
    """Return how far each row's edits move next-token distributions over a text that is given.

    ``sum_v p(v) (log p(v) - log q(v))``, with p the steered and q the unedited model's distribution
    of the next token, both after the same tokens; the mean over the places where the text's tokens
    are predicted. At least 0. Row ``i`` has the text ``continuations[i]`` after
    ``prompts[rows[i].prompt]``. What rows have in common is computed once, as in a grid.

    Raises:
        SondeError: there are not as many rows as continuations, a text does not fit the context or
            the budget, or an edit does not fit.
    """
    divergence = np.full(len(rows), np.nan)
    likelihood = np.full(len(rows), np.nan)
    steered = _given(model, prompts, continuations, rows)
    plain = {
        text.place: replace(text, edits=(), stream=PromptStream(text.stream.tokens), rows=())
        for text in steered
    }
    for read in read_texts(model, [*plain.values(), *steered], _budget(token_budget)):
        nats, totals = _compared(model, read)
        for text, mean, own in zip(read.texts, nats, totals, strict=True):
            divergence[list(text.rows)], likelihood[list(text.rows)] = mean, own
    return TeacherForced(divergence, likelihood, _counts(continuations))


def _budget(given: int | None) -> int:
    return given or DEFAULT_BUDGET


def _counts(continuations: Sequence[Sequence[int]]) -> Int[np.ndarray, " row"]:
    return np.array([len(one) for one in continuations], dtype=np.int64)


def _given(
    model: Model,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    rows: Sequence[GridRow],
) -> list[GivenText]:
    """Return what rows ask for, the same but once, without empty texts."""
    if len(continuations) != len(rows):
        raise SondeError(
            f"There are {len(continuations)} continuations for {len(rows)} rows.",
            fix="Give each row its own.",
        )
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise SondeError(f"Prompt {number} has no tokens.", fix="Give at least one.")
    longest = max(map(len, continuations), default=0)
    asked = [(row.prompt, row.edits) for row in rows]
    plan = plan_rows(model, prompts, asked, n_new=longest, same=False)
    found: dict[Hashable, GivenText] = {}
    for row in plan.rows:
        tokens = tuple(continuations[row.number])
        if tokens:
            text = GivenText(row.stream, row.edits, tokens)
            first = found.setdefault(text.key(), text)
            found[text.key()] = replace(first, rows=(*first.rows, row.number))
    return list(found.values())


def _of_text(model: Model, hidden: Float[Tensor, "pos d_model"], tokens: Sequence[int]) -> float:
    """Return the log-likelihood of a text from the activations that predict its tokens."""
    total = 0.0
    for part in _places(model, len(tokens)):
        found = _log_probabilities(model, hidden[part])
        total += float(_at(found, tokens[part]).double().sum())
    return total


def _compared(model: Model, read: ReadTexts) -> tuple[Tensor, Tensor]:
    """Return each text's mean divergence from the first, and its mean log-likelihood."""
    n_texts, n_tokens = read.hidden.shape[:2]
    nats, totals = torch.zeros(2, n_texts, dtype=torch.float64)
    for part in _places(model, n_tokens):
        plain = _log_probabilities(model, read.hidden[0, part])
        for number in range(n_texts):
            found = _log_probabilities(model, read.hidden[number, part])
            apart = (found.exp() * (found - plain)).sum(dim=-1).clamp(min=0)
            nats[number] += float(apart.double().sum())
            totals[number] += float(_at(found, read.texts[0].tokens[part]).double().sum())
    return nats / n_tokens, totals / n_tokens


def _places(model: Model, n_tokens: int) -> list[slice]:
    size = max(1, LOGITS // model.info.d_vocab)
    return [slice(start, start + size) for start in range(0, n_tokens, size)]


def _log_probabilities(
    model: Model, hidden: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "pos d_vocab"]:
    with torch.no_grad():
        return head_logits(model, hidden).float().log_softmax(dim=-1)


def _at(found: Float[Tensor, "pos d_vocab"], tokens: Sequence[int]) -> Float[Tensor, "pos"]:
    return found.gather(-1, torch.tensor(tokens, device=found.device)[:, None])[:, 0]
