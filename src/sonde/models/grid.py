"""Generate a grid: many rows, each a prompt with edits of its own, as one stream of batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sonde.core.base import Config
from sonde.core.edits import Edit
from sonde.core.progress import progress as show_progress
from sonde.models.generate import check_prompts, end_tokens
from sonde.models.grid_plan import DEFAULT_BUDGET, GridPlan, check_budget, plan_rows
from sonde.models.grid_stream import Choice, RowStream
from sonde.models.model import Model


@dataclass(frozen=True, slots=True)
class GridRow:
    """A prompt, by its index, and the edits that act on this row alone.

    The edits' tensors have no batch axis: a vector is ``[d_model]``, a scale a number. A mask of
    the prompt's tokens is ``[1, pos]``, and a ``Replace`` value for each of them
    ``[1, pos, d_model]``.
    """

    prompt: int
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a row wrote: token ids without the end-of-text token, and their text.

    ``finished`` says whether the model ended the text itself. ``margin`` is the smallest gap
    between the two best logits along the way, the end included: where it is below 1e-3 rounding
    may send the same row another way in another batch. It is infinite where tokens were sampled.
    """

    row: int
    tokens: tuple[int, ...]
    text: str
    finished: bool
    margin: float


class GridSettings(Config):
    """How to generate a grid. Temperature 0 is greedy.

    ``token_budget`` is how many tokens caches may hold at once, padding included; it bounds memory,
    whatever the size of the grid. None is 16,384. Beside the caches, a model of up to 2 GB in
    float32 on a CPU takes a second copy of its weights for the time of a large grid.
    """

    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    token_budget: Annotated[int, Field(ge=1)] | None = None


def generate_grid(
    model: Model,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[GridRow],
    settings: GridSettings | None = None,
    *,
    progress: bool = True,
) -> Iterator[Continuation]:
    """Continue each row's prompt until the model ends it, and yield rows as they end.

    Rows with any edits at any layers share batches. What they have in common is computed once: a
    prompt that edits don't reach, tokens that all prompts begin with, blocks below the first edit
    in which rows differ, and whole rows that are the same. Neither batch mates nor torch's global
    random state have a part in what is sampled. A row without edits, or with edits that do nothing,
    is the unsteered text. The order in which rows come depends on the arguments alone.

    Raises:
        SondeError: a prompt is empty or leaves no room in the context, a row names no prompt, the
            model lacks a hook point, an edit does not fit, or the token budget does not hold a
            single row.
    """
    settings = settings or GridSettings()
    n_new, budget = settings.max_new_tokens, settings.token_budget or DEFAULT_BUDGET
    if rows:
        check_prompts(model, prompts, n_new)
    asked = [(row.prompt, row.edits) for row in rows]
    plan = plan_rows(model, prompts, asked, n_new=n_new, same=settings.temperature == 0)
    check_budget(plan, n_new, budget)
    choice = Choice(n_new, settings.temperature, settings.top_p, settings.seed)
    stream = RowStream(model, list(reversed(plan.rows)), choice, budget)
    return _said(stream, plan, n_rows=len(rows), progress=progress)


def _said(
    stream: RowStream, plan: GridPlan, *, n_rows: int, progress: bool
) -> Iterator[Continuation]:
    ends = end_tokens(stream.model)
    with show_progress("generating", n_rows, unit="rows", show=progress) as advance:
        for row in stream.run():
            finished = row.tokens[-1] in ends
            tokens = tuple(row.tokens[:-1] if finished else row.tokens)
            text = stream.model.tokenizer.decode(list(tokens), skip_special_tokens=True)
            for number in plan.copies[row.number]:
                advance(1)
                yield Continuation(number, tokens, text, finished, row.margin)
