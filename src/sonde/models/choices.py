"""Which of two answers a model would give next: log-odds from one forward pass a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.models.batch import pad_batch
from sonde.models.chat import Layout
from sonde.models.model import Model
from sonde.models.render import Rendered
from sonde.models.tokenise import knowledge_of, tokenise


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What a model says of two answers after each prompt.

    ``log_odds`` is log p(first) - log p(second); ``share`` is p(first) + p(second): how far the
    model gives one of these answers at all.
    """

    log_odds: Float[np.ndarray, " prompt"]
    share: Float[np.ndarray, " prompt"]


def answer_tokens(model: Model, prompt: Rendered, answers: tuple[str, str]) -> tuple[int, int]:
    """Return the token that each answer is when it follows the prompt.

    Raises:
        SondeError: an answer is not one token there, or both are the same.
    """
    knowledge = knowledge_of(model.tokenizer)
    found: list[int] = []
    for answer in answers:
        layout = Layout(prompt.text, answer, None, None, ())
        ((ids, _),) = tokenise(model.tokenizer, [layout], knowledge)
        ((before, _),) = tokenise(
            model.tokenizer, [Layout(prompt.text, "", None, None, ())], knowledge
        )
        added = ids[len(before) :].tolist()
        if len(added) != 1:
            pieces = [model.tokenizer.decode([token]) for token in added]
            raise SondeError(
                f"The answer {answer!r} is {len(added)} tokens for {model.info.name} ({pieces}); "
                "log-odds are read from one.",
                fix="Choose answers of one token each, such as A and B.",
            )
        found.append(int(added[0]))
    if found[0] == found[1]:
        raise SondeError(
            f"The answers {answers[0]!r} and {answers[1]!r} are the same token.",
            fix="Choose answers that differ.",
        )
    return found[0], found[1]


def next_choices(model: Model, prompts: Sequence[np.ndarray], answers: tuple[int, int]) -> Choices:
    """Run one batch of prompts (token ids) and read the two answers at each last token.

    Only the last tokens' logits are made: one row of the vocabulary for each different length.

    Raises:
        SondeError: the model gave a NaN, or the batch mixes lengths that it reads differently.
    """
    batch = pad_batch(prompts, 0, model.device)
    switch = model.rope_switch
    if switch is not None and int(batch.lengths.max()) > switch >= int(batch.lengths.min()):
        raise SondeError(
            f"A batch has rows on both sides of {switch} tokens, where {model.info.name} changes "
            "its rotary frequencies for the whole batch.",
            fix="Put longer and shorter prompts into batches of their own.",
        )
    places, at = torch.unique(batch.lengths - 1, return_inverse=True)
    with torch.no_grad():
        out = model.hf(input_ids=batch.ids, use_cache=False, logits_to_keep=places)
    rows = torch.arange(len(prompts), device=out.logits.device)
    logits = out.logits[rows, at.to(out.logits.device)].to(torch.float64)
    pair = logits[:, list(answers)] - logits.logsumexp(dim=1, keepdim=True)
    if not bool(pair.isfinite().all()):
        raise SondeError(
            f"{model.info.name} gave NaN or infinite logits.",
            fix="Load it with dtype=float32 or bfloat16, or check it with `sonde doctor`.",
        )
    log_odds = (pair[:, 0] - pair[:, 1]).cpu().numpy()
    return Choices(log_odds, pair.exp().sum(dim=1).cpu().numpy())
