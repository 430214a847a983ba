"""The chunks of a token task that a report may colour: stored as texts, read as activations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonde.core.files import canonical_json, write_text
from sonde.core.positions import TokenSpans
from sonde.data.examples import Example

if TYPE_CHECKING:
    from sonde.activations.token_shown import ShownChunk
    from sonde.experiments.stage import Finished
    from sonde.probes.results import ProbeResults
    from sonde.report import Notice, TokenView

FILE = "shown.jsonl"


def write_shown(chunks: "Sequence[ShownChunk]", folder: Path) -> None:
    """Keep the chunks; there may be none."""
    rows = [
        {
            "name": one.name,
            "text": one.text,
            "ids": one.ids.tolist(),
            "offsets": one.offsets.tolist(),
            "truth": one.truth,
            "prefix": one.prefix,
        }
        for one in chunks
    ]
    write_text(folder / FILE, "".join(f"{canonical_json(row)}\n" for row in rows))


def read_shown(folder: Path) -> "tuple[ShownChunk, ...]":
    """Return what ``write_shown`` kept."""
    from sonde.activations.token_shown import ShownChunk

    with (folder / FILE).open(encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return tuple(
        ShownChunk(
            name=row["name"],
            text=row["text"],
            ids=np.array(row["ids"], np.int32),
            offsets=np.array(row["offsets"], np.int32).reshape(-1, 2),
            truth=tuple(row["truth"]),
            prefix=row["prefix"],
        )
        for row in rows
    )


def token_task_view(tokens: "Finished", results: "ProbeResults") -> "TokenView | Notice":
    """Colour the chunks by the probes of a result, right and wrong by what is true of each token.

    A task whose documents were too few to keep one apart has nothing to show: a notice says so.
    """
    from sonde.activations.token_shown import activations_of
    from sonde.models.render import Rendered
    from sonde.report import Notice, TokenTruth, token_view_from

    chunks = read_shown(tokens.folder)
    if not chunks:
        return Notice(
            f"The token task {tokens.name!r} kept no document apart, so no text is coloured.",
            "Give it ten files for each that is to be shown.",
            level="note",
        )
    task = tokens.stage.open(tokens.folder)
    rendered = {
        one.name: Rendered(one.text, one.ids, one.offsets, _spans(len(one.ids), one.prefix))
        for one in chunks
    }
    which = "the next token is" if task.facts.task == "next" else "the token is"
    truth = TokenTruth(f"{which} {task.facts.words}", {one.name: one.truth for one in chunks})
    examples = [Example(one.name, one.text) for one in chunks]
    acts = activations_of(chunks, task, task.source)
    return token_view_from(results, acts, rendered, examples, truth=truth)


def _spans(n_tokens: int, prefix: int) -> TokenSpans:
    own = (prefix, n_tokens)
    return TokenSpans(n_tokens, prompt=(0, n_tokens), user=own, response=None, turns=(own,))
