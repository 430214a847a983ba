"""Examples made ready for the passes: token ids, the tokens to read, and the row each one gives.

Everything is kept in flat arrays of int32, because a data set may have millions of tokens.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sonde.activations.activations import RowTable, Skipped
from sonde.activations.settings import ExtractSettings
from sonde.core.errors import SondeError
from sonde.core.positions import Pool, Position, TokenSpans
from sonde.data.examples import Example
from sonde.models.model import Model
from sonde.models.render import NotRendered, Rendered, RenderSettings, iter_rendered

Item = tuple[int, Sequence[int], Pool]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Examples as flat arrays. A row is one line of the activations; an item makes one or more.

    An item is one position in one example. ``ids[starts[e] : starts[e + 1]]`` are the tokens of
    example ``e``, ``items[e] : items[e + 1]`` its items, ``rows[e] : rows[e + 1]`` its rows; item
    ``i`` reads the tokens ``tokens[token_starts[i] : token_starts[i + 1]]``. An example that was
    left out has none of them.
    """

    examples: tuple[Example, ...]
    positions: tuple[Position, ...]
    ids: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    item_position: np.ndarray
    tokens: np.ndarray
    token_starts: np.ndarray
    rows: np.ndarray
    row_columns: dict[str, np.ndarray]
    skipped: tuple[Skipped, ...]
    truncated: int  # how many examples were shortened to fit the context

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example."""
        return np.diff(self.starts)

    @property
    def n_rows(self) -> int:
        """Rows of all examples."""
        return int(self.rows[-1])

    def ids_of(self, members: np.ndarray) -> list[np.ndarray]:
        """Return the token ids of some examples."""
        return [self.ids[self.starts[e] : self.starts[e + 1]] for e in members]

    def items_of(self, members: np.ndarray) -> list[Item]:
        """Return what to read in a batch of these examples, in the order of the rows."""
        pools = [position.pool for position in self.positions]
        return [
            (
                place,
                self.tokens[self.token_starts[item] : self.token_starts[item + 1]].tolist(),
                pools[self.item_position[item]],
            )
            for place, example in enumerate(members)
            for item in range(self.items[example], self.items[example + 1])
        ]

    def rows_of(self, members: np.ndarray) -> np.ndarray:
        """Return the numbers of the rows that these examples give, in their order."""
        counts = self.rows[members + 1] - self.rows[members]
        ends = np.cumsum(counts)
        first = np.repeat(self.rows[members] - (ends - counts), counts)
        return first + np.arange(int(ends[-1]) if len(ends) else 0)

    def table(self, rows: np.ndarray) -> RowTable:
        """Return the row table of some rows."""
        columns = {name: column[rows] for name, column in self.row_columns.items()}
        example = columns.pop("example")
        position = columns.pop("position")
        names = np.array([str(each) for each in self.positions])
        ids = np.array([each.id for each in self.examples])
        groups = np.array([each.group or "" for each in self.examples])
        return RowTable(
            example=ids[example], position=names[position], group=groups[example], **columns
        )


@dataclass(slots=True)
class _Columns:
    """The flat arrays while they grow."""

    ids: array = field(default_factory=lambda: array("i"))
    starts: array = field(default_factory=lambda: array("q", [0]))
    items: array = field(default_factory=lambda: array("q", [0]))
    item_position: array = field(default_factory=lambda: array("h"))
    tokens: array = field(default_factory=lambda: array("i"))
    token_starts: array = field(default_factory=lambda: array("q", [0]))
    rows: array = field(default_factory=lambda: array("q", [0]))
    row: dict[str, array] = field(
        default_factory=lambda: {
            name: array("i")
            for name in ("example", "position", "token", "token_id", "n_tokens", "start", "end")
        }
    )

    def close(self) -> None:
        """End the current example."""
        self.starts.append(len(self.ids))
        self.items.append(len(self.item_position))
        self.rows.append(len(self.row["token"]))


def prepare(model: Model, examples: Sequence[Example], settings: ExtractSettings) -> Prepared:
    """Render all examples and find the tokens that the positions name.

    Raises:
        SondeError: an example is empty, too long, or lacks a position, and the settings do not
            say what to do then; the message names the example's file and row.
    """
    positions = settings.wanted
    render = RenderSettings(template=settings.template, too_long=settings.too_long)
    columns = _Columns()
    skipped: list[Skipped] = []
    truncated = 0
    context = model.info.context
    rendered_all = iter_rendered(model.tokenizer, examples, render, context)
    for number, (example, rendered) in enumerate(zip(examples, rendered_all, strict=True)):
        if isinstance(rendered, NotRendered):
            skipped.append(Skipped(rendered.example, rendered.reason, rendered.detail))
        else:
            truncated += rendered.truncated > 0
            chosen = _chosen(positions, rendered.spans, example, settings)
            if isinstance(chosen, Skipped):
                skipped.append(chosen)
            else:
                columns.ids.frombytes(np.ascontiguousarray(rendered.ids, np.int32).tobytes())
                for index, tokens in enumerate(chosen):
                    _add_item(columns, number, index, positions[index].pool, tokens, rendered)
        columns.close()
    return _frozen(columns, tuple(examples), positions, tuple(skipped), truncated)


def _chosen(
    positions: tuple[Position, ...],
    spans: TokenSpans,
    example: Example,
    settings: ExtractSettings,
) -> list[Sequence[int]] | Skipped:
    try:
        return [position.tokens(spans) for position in positions]
    except SondeError as error:
        if settings.missing_position == "skip":
            return Skipped(example.id, "missing position", error.what)
        raise SondeError(
            f"{example.where}: {error.what}",
            fix=f"{error.fix} missing_position=skip leaves such examples out and counts them.",
        ) from None


def _add_item(
    columns: _Columns,
    example: int,
    position: int,
    pool: Pool,
    tokens: Sequence[int],
    rendered: Rendered,
) -> None:
    columns.item_position.append(position)
    columns.tokens.extend(tokens)
    columns.token_starts.append(len(columns.tokens))
    row = columns.row
    parts = [[token] for token in tokens] if pool is Pool.EACH else [tokens]
    for part in parts:
        first, last = part[0], part[-1]
        row["example"].append(example)
        row["position"].append(position)
        row["token"].append(last)
        row["token_id"].append(int(rendered.ids[last]))
        row["n_tokens"].append(len(part))
        row["start"].append(int(rendered.offsets[first][0]))
        row["end"].append(int(rendered.offsets[last][1]))


def _frozen(
    columns: _Columns,
    examples: tuple[Example, ...],
    positions: tuple[Position, ...],
    skipped: tuple[Skipped, ...],
    truncated: int,
) -> Prepared:
    def numbers(values: array) -> np.ndarray:
        return np.array(values) if len(values) else np.empty(0, values.typecode)

    return Prepared(
        examples=examples,
        positions=positions,
        ids=numbers(columns.ids),
        starts=numbers(columns.starts),
        items=numbers(columns.items),
        item_position=numbers(columns.item_position),
        tokens=numbers(columns.tokens),
        token_starts=numbers(columns.token_starts),
        rows=numbers(columns.rows),
        row_columns={name: numbers(column) for name, column in columns.row.items()},
        skipped=skipped,
        truncated=truncated,
    )
