"""What a grid asks for: which rows share a prompt's pass, which are the same, and their order."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from sonde.core.edits import Edit, When
from sonde.core.errors import SondeError
from sonde.models.grid_batch import LiveRow
from sonde.models.model import Model
from sonde.models.prompt_pass import PromptStream
from sonde.models.row_edits import Edits, by_token, place_edits

DEFAULT_BUDGET = 16_384  # tokens: 0.8 GB with the embedded model, 1.7 GB with gemma-2-2b


@dataclass(frozen=True, slots=True, eq=False)
class GridPlan:
    """Rows in the order in which they are begun.

    ``copies`` are, for each row, the numbers of rows that are the same, its own among them.
    """

    rows: tuple[LiveRow, ...]
    copies: dict[int, list[int]]


def plan_rows(
    model: Model,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[tuple[int, Sequence[Edit]]],
    *,
    n_new: int,
    same: bool,
) -> GridPlan:
    """Plan rows, each a prompt's index and edits, that write up to ``n_new`` tokens.

    ``same`` says that rows with equal prompts and edits write the same.

    Raises:
        SondeError: a row names no prompt, or an edit does not fit.
    """
    known: dict[int, Hashable] = {}
    streams: dict[Hashable, PromptStream] = {}
    firsts: dict[Hashable, LiveRow] = {}
    copies: dict[int, list[int]] = {}
    for number, (prompt, edits) in enumerate(rows):
        if not 0 <= prompt < len(prompts):
            raise SondeError(
                f"Row {number} is for prompt {prompt}, and there are {len(prompts)}.",
                fix="Number prompts from 0.",
            )
        tokens = tuple(prompts[prompt])
        placed = place_edits(model, edits, len(tokens), known)
        stream = PromptStream(tokens, _on_prompt(placed))
        stream = streams.setdefault(stream.key(), stream)
        row = LiveRow(number, stream, _on_generated(placed, n_new))
        key = (stream.key(), tuple(item.key for item in row.edits), None if same else number)
        first = firsts.setdefault(key, row)
        copies.setdefault(first.number, []).append(number)
    place = {key: number for number, key in enumerate(streams)}
    switch = model.rope_switch or 0

    def order(row: LiveRow) -> tuple[bool, int, tuple[int, ...], int]:
        tokens = row.stream.tokens  # alike lengths share batches, so padding is low
        return len(tokens) <= switch, -len(tokens), tokens, place[row.stream.key()]

    return GridPlan(tuple(sorted(firsts.values(), key=order)), copies)


def _on_prompt(edits: Edits) -> Edits:
    return tuple(one for one in edits if one.edit.scope.when is not When.GENERATED)


def _on_generated(edits: Edits, n_new: int) -> Edits:
    """Return the edits that have a part in what is written: the last token made is not read."""
    return tuple(
        one
        for one in edits
        if not by_token(one.edit)
        and any(one.edit.scope.reaches_step(step) for step in range(n_new - 1))
    )


def check_budget(plan: GridPlan, n_new: int, budget: int) -> None:
    """Refuse a budget that does not hold every row by itself.

    Raises:
        SondeError: it does not.
    """
    longest = max((len(row.stream.tokens) for row in plan.rows), default=0)
    if longest and row_cost(longest, n_new) > budget:
        raise SondeError(
            f"The token budget of {budget:,} does not hold a prompt of {longest:,} tokens and the "
            f"{n_new:,} that may follow.",
            fix=f"Raise token_budget to {row_cost(longest, n_new):,} or more, or lower "
            "max_new_tokens.",
        )


def row_cost(n_tokens: int, n_new: int) -> int:
    """Return what a row takes alone: its prompt as read, and its place in the batch."""
    return 2 * n_tokens + n_new - 1
