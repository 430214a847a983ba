"""Generation with edits on prompt tokens, generated tokens or both."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Int
from pydantic import Field
from torch import Tensor

from sonde.core.base import Config
from sonde.core.edits import Edit, Replace, When, select_rows
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.models.forward import scope_mask
from sonde.models.hooking import ScopedEdit, Taps, check_gate, hooked
from sonde.models.model import Model
from sonde.models.row_edits import by_token
from sonde.models.sampling import next_tokens, row_uniforms


class GenerateSettings(Config):
    """How to generate. Temperature 0 is greedy; ``batch_size`` bounds memory, not the result."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 32


@dataclass(frozen=True, slots=True)
class Generation:
    """Generated token ids without the end-of-text token, their texts without special tokens.

    ``finished`` says whether the model ended the text itself.
    """

    tokens: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    finished: tuple[bool, ...]


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    settings: GenerateSettings | None = None,
    edits: Sequence[Edit] = (),
) -> Generation:
    """Continue each prompt (token ids) until the model ends it or ``max_new_tokens`` is reached.

    Rows of an edit's tensors are rows of ``prompts``; ``Scope.tokens`` and a ``Replace`` value for
    each token, ``[batch, pos, ...]``, index each prompt's own tokens from 0 and reach no generated
    token. The token that is answered from, ``prompt[-1]``, counts as prompt. Neither a row's
    batch nor torch's global random state has a part in what is sampled.

    Raises:
        SondeError: a prompt is empty or leaves no room in the context, the model lacks a hook
            point, or an edit does not fit the prompts.
    """
    settings = settings or GenerateSettings()
    check_prompts(model, prompts, settings.max_new_tokens)
    _check_edits(model, edits, n_rows=len(prompts), longest=max(map(len, prompts)))
    lengths = np.array([len(prompt) for prompt in prompts])
    order = np.argsort(-lengths, kind="stable")  # alike lengths share a batch, so padding is low
    tokens: dict[int, tuple[int, ...]] = {}
    finished: dict[int, bool] = {}
    for rows in _batches(order, lengths, model.rope_switch, settings.batch_size):
        index = torch.from_numpy(rows)
        chosen = [select_rows(edit, index, len(prompts)) for edit in edits]
        with torch.no_grad():
            made = _generate_batch(model, [prompts[row] for row in rows], rows, settings, chosen)
        for row, new, ended in zip(rows.tolist(), *made, strict=True):
            tokens[row], finished[row] = new, ended
    in_order = range(len(prompts))
    return Generation(
        tokens=tuple(tokens[row] for row in in_order),
        texts=tuple(
            model.tokenizer.decode(list(tokens[row]), skip_special_tokens=True) for row in in_order
        ),
        finished=tuple(finished[row] for row in in_order),
    )


def _batches(
    order: np.ndarray, lengths: np.ndarray, switch: int | None, size: int
) -> Iterator[np.ndarray]:
    """Cut rows into batches, none of which has rows on both sides of ``Model.rope_switch``."""
    longer = lengths[order] > (switch or 0)
    for rows in (order[longer], order[~longer]):
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _generate_batch(
    model: Model,
    prompts: Sequence[Sequence[int]],
    rows: np.ndarray,
    settings: GenerateSettings,
    edits: Sequence[Edit],
) -> tuple[list[tuple[int, ...]], list[bool]]:
    """Continue the prompts of one batch, longest first."""
    from transformers import DynamicCache

    device = model.device
    ids, real = _left_padded(prompts, device)
    uniforms = row_uniforms(settings.seed, rows.tolist(), settings.max_new_tokens).to(device)
    ends = torch.tensor(sorted(end_tokens(model)), dtype=torch.long, device=device)
    lengths = real.sum(dim=1, keepdim=True)
    state = {"past_key_values": DynamicCache(config=model.hf.config), "use_cache": True}

    def step(ids: Tensor, positions: Tensor, number: int) -> Tensor:
        out = model.hf(
            input_ids=ids, attention_mask=real, position_ids=positions, logits_to_keep=1, **state
        )
        return next_tokens(
            out.logits[:, -1].to(device), uniforms[:, number], settings.temperature, settings.top_p
        )

    with hooked(model, Taps(_on_prompt(edits, real), {})):
        token = step(ids, (real.cumsum(dim=1) - 1).clamp(min=0), 0)
    made = [token]
    done = torch.isin(token, ends)
    for number in range(1, settings.max_new_tokens):
        if bool(done.all()):
            break
        real = torch.cat([real, real.new_ones(len(prompts), 1)], dim=1)
        with hooked(model, Taps(_on_generated(edits, number - 1), {})):
            token = step(token[:, None], lengths + number - 1, number)
        made.append(token)
        done |= torch.isin(token, ends)
    return _cut_at_end(torch.stack(made, dim=1), ends)


def end_tokens(model: Model) -> set[int]:
    """Return the tokens that end a text, by the tokenizer and the generation configuration."""
    found: set[int] = set()
    configured = getattr(model.hf.generation_config, "eos_token_id", None)
    for given in (configured, getattr(model.tokenizer, "eos_token_id", None)):
        if given is not None:
            found |= {given} if isinstance(given, int) else set(given)
    return found


def _left_padded(
    prompts: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]:
    """Pad on the left, so that every row's next token follows its last; also which are real.

    The padding lies outside sliding windows too: they count places, and within a row places and
    positions differ by a constant.
    """
    width = max(map(len, prompts))
    ids = np.zeros((len(prompts), width), dtype=np.int64)
    real = np.zeros((len(prompts), width), dtype=bool)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        real[row, width - len(prompt) :] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(real).to(device)


def _on_prompt(
    edits: Sequence[Edit], real: Bool[Tensor, "batch pos"]
) -> dict[HookPoint, list[ScopedEdit]]:
    """Return the edits of the pass over the prompts, with masks and values moved by the padding."""
    n_rows, width = real.shape
    padding = width - real.sum(dim=1, keepdim=True)
    own = torch.arange(width, device=real.device) - padding  # each place's index in its own prompt
    scoped: dict[HookPoint, list[ScopedEdit]] = defaultdict(list)
    for edit in edits:
        if edit.scope.when is When.GENERATED:
            continue
        scope, moved = edit.scope, edit
        if scope.tokens is not None:
            tokens = scope.tokens.to(real.device).gather(1, own.clamp(min=0)) & real
            scope = replace(scope, tokens=tokens)
        if isinstance(edit, Replace) and edit.value.ndim == 3:
            index = own.clamp(min=0)[:, :, None].expand(-1, -1, edit.value.shape[-1])
            moved = replace(edit, value=edit.value.to(real.device).gather(1, index))
        scoped[edit.hook].append(ScopedEdit(moved, scope_mask(scope, n_rows, width)))
    return scoped


def _on_generated(edits: Sequence[Edit], step: int) -> dict[HookPoint, list[ScopedEdit]]:
    scoped: dict[HookPoint, list[ScopedEdit]] = defaultdict(list)
    for edit in edits:
        if edit.scope.reaches_step(step) and not by_token(edit):
            rows = edit.scope.rows
            mask = None if rows is None else rows[:, None, None]
            scoped[edit.hook].append(ScopedEdit(edit, mask))
    return scoped


def _cut_at_end(
    made: Int[Tensor, "batch step"], ends: Int[Tensor, "end"]
) -> tuple[list[tuple[int, ...]], list[bool]]:
    """Cut each row before its first end-of-text token, and say whether it had one."""
    stopped = torch.isin(made, ends)
    ended = stopped.any(dim=1)
    n_kept = torch.where(ended, stopped.int().argmax(dim=1), made.shape[1])
    rows = zip(made.tolist(), n_kept.tolist(), strict=True)
    return [tuple(row[:n]) for row, n in rows], ended.tolist()


def check_prompts(model: Model, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> None:
    """Refuse prompts that leave no room for what is to be written.

    Raises:
        SondeError: a prompt is empty or too long, or there is none.
    """
    if not prompts:
        raise SondeError("There are no prompts.", fix="Give at least one.")
    room = model.info.context - max_new_tokens
    for number, prompt in enumerate(prompts):
        if not 0 < len(prompt) <= room:
            raise SondeError(
                f"Prompt {number} has {len(prompt)} tokens; {model.info.name} reads "
                f"{model.info.context}, of which {max_new_tokens} are for what it writes.",
                fix=f"Give prompts of 1 to {max(room, 0)} tokens, or lower max_new_tokens.",
            )
        switch = model.rope_switch
        if switch is not None and len(prompt) <= switch < len(prompt) + max_new_tokens:
            raise SondeError(
                f"Prompt {number} has {len(prompt)} tokens, and {model.info.name} changes its "
                f"rotary frequencies at {switch}, which would make what is cached wrong.",
                fix="Lower max_new_tokens, or give a prompt on the other side.",
            )


def _check_edits(model: Model, edits: Sequence[Edit], n_rows: int, longest: int) -> None:
    for edit in edits:
        model.check(edit.hook)
        check_gate(model, edit)
        if edit.scope.when is When.GENERATED and by_token(edit):
            raise SondeError(
                f"An edit at {edit.hook} is for generated tokens and names tokens of the prompt.",
                fix="Leave Scope.tokens out, or choose when=prompt.",
            )
        shape = None if not isinstance(edit, Replace) else edit.value.shape
        if shape is not None and len(shape) == 3 and tuple(shape[:2]) != (n_rows, longest):
            raise SondeError(
                f"An edit at {edit.hook} has values {list(shape)}, and there are {n_rows} prompts "
                f"of at most {longest} tokens.",
                fix="Give [batch, pos, d_model], padded on the right.",
            )
        scope_mask(edit.scope, n_rows, longest)
