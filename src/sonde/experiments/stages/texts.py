"""Rendered texts beside a store that keeps each token, so that a report can show them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sonde.activations.settings import ExtractSettings
from sonde.core.files import canonical_json, write_text
from sonde.core.positions import Pool, TokenSpans
from sonde.data.examples import Example

if TYPE_CHECKING:
    from sonde.models.model import Model
    from sonde.models.render import Rendered

FILE = "texts.jsonl"
KEPT = 1000  # texts; a page shows far fewer


def keeps_each(settings: ExtractSettings) -> bool:
    """Whether every token of the text is kept as a row of its own."""
    return any(
        position.pool is Pool.EACH and position.index is None and str(position.span) == "all"
        for position in settings.wanted
    )


def write_texts(
    model: "Model", examples: Sequence[Example], settings: ExtractSettings, folder: Path
) -> None:
    """Render the first examples once more and keep their texts."""
    from sonde.models.render import NotRendered, RenderSettings, iter_rendered

    how = RenderSettings(template=settings.template, too_long=settings.too_long)
    chosen = examples[:KEPT]
    rendered = iter_rendered(model.tokenizer, chosen, how, model.info.context)
    lines: list[str] = []
    for example, found in zip(chosen, rendered, strict=True):
        if isinstance(found, NotRendered):
            continue  # the store says why
        spans = {name: getattr(found.spans, name) for name in TokenSpans.__dataclass_fields__}
        row = {
            "id": example.id,
            "label": example.label,
            "text": found.text,
            "ids": found.ids.tolist(),
            "offsets": found.offsets.tolist(),
            "spans": spans,
        }
        lines.append(canonical_json(row))
    write_text(folder / FILE, "\n".join(lines) + "\n")


def read_texts(folder: Path) -> "tuple[list[Example], dict[str, Rendered]]":
    """Return the examples kept beside a store, and each as tokens; none where it has no tokens."""
    from sonde.models.render import Rendered

    path = folder / FILE
    if not path.is_file():
        return [], {}
    with path.open(encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    examples = [Example(row["id"], row["text"], label=row["label"]) for row in rows]
    rendered = {
        cast(str, row["id"]): Rendered(
            text=row["text"],
            ids=np.array(row["ids"], np.int32),
            offsets=np.array(row["offsets"], np.int32).reshape(-1, 2),
            spans=_spans(row["spans"]),
        )
        for row in rows
    }
    return examples, rendered


def _spans(stored: dict[str, Any]) -> TokenSpans:
    def pair(value: Any) -> tuple[int, int] | None:
        return None if value is None else (int(value[0]), int(value[1]))

    prompt = pair(stored["prompt"])
    assert prompt is not None
    return TokenSpans(
        n_tokens=stored["n_tokens"],
        prompt=prompt,
        user=pair(stored["user"]),
        response=pair(stored["response"]),
        turns=tuple((int(start), int(stop)) for start, stop in stored["turns"]),
        eot=tuple(stored["eot"]),
    )
