"""Rendered texts beside a store that keeps each token, so that a report can show them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.activations.settings import ExtractSettings
from sonde.core.files import canonical_json, write_text
from sonde.core.positions import Pool, TokenSpans
from sonde.data.examples import Example, Label

if TYPE_CHECKING:
    from sonde.models.model import Model

FILE = "texts.jsonl"
KEPT = 1000  # texts; a page shows far fewer


@dataclass(frozen=True, slots=True)
class RenderedText:
    """An example as the model saw it."""

    id: str
    text: str
    label: Label
    spans: TokenSpans

    @property
    def template_tokens(self) -> tuple[int, ...]:
        """The tokens outside every message: those that the chat template added."""
        if not self.spans.turns:
            return ()
        own = {token for turn in self.spans.turns for token in range(*turn)}
        return tuple(token for token in range(self.spans.n_tokens) if token not in own)


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
    from sonde.models.render import RenderSettings, iter_rendered

    how = RenderSettings(template=settings.template, too_long=settings.too_long)
    chosen = examples[:KEPT]
    rendered = iter_rendered(model.tokenizer, chosen, how, model.info.context)
    lines: list[str] = []
    for example, found in zip(chosen, rendered, strict=True):
        spans: TokenSpans | None = getattr(found, "spans", None)
        if spans is None:
            continue  # left out, as the store says
        stored = {name: getattr(spans, name) for name in TokenSpans.__dataclass_fields__}
        text = getattr(found, "text", "")
        row = {"id": example.id, "text": text, "label": example.label, "spans": stored}
        lines.append(canonical_json(row))
    write_text(folder / FILE, "\n".join(lines) + "\n")


def read_texts(folder: Path) -> tuple[RenderedText, ...]:
    """Return the texts kept beside a store; none where tokens were not kept."""
    path = folder / FILE
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(
        RenderedText(row["id"], row["text"], row["label"], _spans(row["spans"])) for row in rows
    )


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
