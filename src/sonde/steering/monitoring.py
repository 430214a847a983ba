"""Monitoring: how far every token of a text points along some vectors.

The text is read once, token by token as it stands, whoever wrote it: the unsteered model, the
steered one, or another model. A steered transcript is read with its edits at the tokens that they
reached while it was written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.edits import Edit, Scope, When
from sonde.core.errors import SondeError
from sonde.models.forward import TokenBatch, forward, pad_batch
from sonde.models.model import Model
from sonde.steering.answering import Session
from sonde.steering.candidates import Arm, Candidate
from sonde.steering.projections import Monitored, Projections
from sonde.vectors.vector import Vector

TOKENS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Transcript:
    """A text as tokens, and what steered the model while it was written, if anything did.

    ``name`` tells transcripts apart; two readings of one name are compared with each other.
    """

    name: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    candidate: Candidate | None = None


def transcripts(session: Session, arm: Arm) -> list[Transcript]:
    """Return an arm's answers to all questions, from the journal where they are there."""
    prompts = session.prompts(arm.instruction)
    answers = session.answers([(arm, question) for question in range(len(prompts))])
    return [
        Transcript(question, prompt, answer.tokens, arm.candidate)
        for question, prompt, answer in zip(session.task.questions, prompts, answers, strict=True)
    ]


def monitor(
    model: Model,
    texts: Sequence[Transcript],
    vectors: Sequence[Vector],
    *,
    steered: bool = True,
    allow_other_model: bool = False,
) -> Projections:
    """Project every token of some texts on some vectors: x . direction, at each vector's own place.

    Where a vector lies at the hook point that is steered, what it adds is part of the projection.
    ``steered`` False reads all texts with the model as it is.

    Raises:
        SondeError: there is no text or vector, two texts share a name, one is too long, a vector is
            of another model, or an activation is not finite.
    """
    _check(model, texts, vectors, allow_other_model)
    read = texts if steered else [replace(text, candidate=None) for text in texts]
    found: list[Float[np.ndarray, "token vector"] | None] = [None] * len(texts)
    for numbers in batches(read):
        part = [read[number] for number in numbers]
        projected = _projected(model, part, vectors)
        for number, text, values in zip(numbers, part, projected, strict=True):
            found[number] = values[: len(text.prompt) + len(text.answer)].numpy()
    whole = [values for values in found if values is not None]
    _check_finite(texts, whole)
    return Projections(
        vectors=tuple(Monitored.of(vector) for vector in vectors),
        texts=tuple(text.name for text in texts),
        text=np.repeat(np.arange(len(texts)), [len(values) for values in whole]),
        token=np.concatenate([np.arange(len(values)) for values in whole]),
        token_id=np.array([token for text in texts for token in (*text.prompt, *text.answer)]),
        piece=tuple(
            model.tokenizer.decode([token])
            for text in texts
            for token in (*text.prompt, *text.answer)
        ),
        generated=np.concatenate(
            [np.arange(len(v)) >= len(text.prompt) for text, v in zip(texts, whole, strict=True)]
        ),
        values=np.concatenate(whole),
    )


def check_same_tokens(writer: Model, reader: Model, texts: Sequence[Transcript]) -> None:
    """Refuse a second reader to whom a token of the texts is another one.

    Raises:
        SondeError: it is, or its tokenizer lacks it.
    """
    used = sorted({token for text in texts for token in (*text.prompt, *text.answer)})
    said, heard = (
        [one.tokenizer.convert_ids_to_tokens(token) for token in used] for one in (writer, reader)
    )
    lost = [a for a, b in zip(said, heard, strict=True) if a != b]
    if lost:
        raise SondeError(
            f"{reader.info.name} cannot read what {writer.info.name} wrote, token by token: of "
            f"{len(used):,} tokens {len(lost):,} are others to it, such as {lost[0]!r}.",
            fix="Compare models that share a tokenizer, such as a base model and its instruct "
            "version.",
        )


def batches(texts: Sequence[Transcript]) -> Iterator[list[int]]:
    """Cut texts that are steered alike into batches of alike lengths."""
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        groups.setdefault("" if text.candidate is None else text.candidate.key, []).append(number)
    for members in groups.values():
        batch: list[int] = []
        width = 0
        for number in sorted(members, key=lambda one: -_length(texts[one])):
            if batch and width * (len(batch) + 1) > TOKENS_AT_ONCE:
                yield batch
                batch = []
            width = width if batch else _length(texts[number])
            batch.append(number)
        yield batch


def _projected(
    model: Model, texts: Sequence[Transcript], vectors: Sequence[Vector]
) -> Float[Tensor, "batch pos vector"]:
    batch = pad_batch([(*text.prompt, *text.answer) for text in texts], device=model.device)
    hooks = sorted({vector.hook for vector in vectors}, key=lambda hook: hook.depth)
    edits = () if texts[0].candidate is None else texts[0].candidate.edits()
    scoped = [_on_tokens(edit, batch, [len(text.prompt) for text in texts]) for edit in edits]
    seen = forward(model, batch, capture=hooks, edits=scoped).activations
    return torch.stack(
        [vector.project(seen[vector.hook].flatten(2)).cpu() for vector in vectors], dim=-1
    )


def _on_tokens(edit: Edit, batch: TokenBatch, n_prompt: Sequence[int]) -> Edit:
    """Return an edit of a generation as one of a pass over all that was read and written."""
    place = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    step = place[None, :] - torch.tensor(n_prompt, device=batch.ids.device)[:, None]
    scope = Scope(when=When.BOTH, tokens=reached(edit.scope, step), gate=edit.scope.gate)
    return replace(edit, scope=scope)


def reached(scope: Scope, step: Int[Tensor, "batch pos"]) -> Bool[Tensor, "batch pos"]:
    """Say which tokens a scope reaches; ``step`` counts from the first generated token, at 0."""
    first, end = scope.steps or (0, None)
    generated = step >= first if end is None else (step >= first) & (step < end)
    prompt = step < 0
    if scope.when is When.PROMPT:
        return prompt
    return generated & ~prompt if scope.when is When.GENERATED else generated | prompt


def _length(text: Transcript) -> int:
    return len(text.prompt) + len(text.answer)


def _check(
    model: Model, texts: Sequence[Transcript], vectors: Sequence[Vector], allow_other_model: bool
) -> None:
    if not texts or not vectors:
        raise SondeError(
            f"{len(texts)} texts were to be monitored along {len(vectors)} vectors.",
            fix="Give at least one of each.",
        )
    names = [text.name for text in texts]
    if len(set(names)) < len(names):
        raise SondeError(
            f"Two texts share a name, such as {max(names, key=names.count)!r}.",
            fix="Monitor the arms of a search one by one, and compare them.",
        )
    for vector in vectors:
        vector.check(model.info, allow_other_model=allow_other_model)


def _check_finite(
    texts: Sequence[Transcript], values: Sequence[Float[np.ndarray, "_ vector"]]
) -> None:
    for text, own in zip(texts, values, strict=True):
        if not np.isfinite(own).all():
            raise SondeError(
                f"The activations of {text.name!r} hold NaN or Inf.",
                fix="Monitor a smaller coefficient, or load the model in another dtype.",
            )
