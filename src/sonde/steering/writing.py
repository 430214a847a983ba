"""A trait's scenarios answered by the model, and kept until they are judged."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, read_json, write_json
from sonde.data.examples import Example
from sonde.data.scenarios import Scenario
from sonde.data.traits import Trait
from sonde.models.render import RenderSettings
from sonde.steering.vetting import Written

if TYPE_CHECKING:
    from sonde.models.model import Model
    from sonde.steering.responding import ResponseSettings

TEXTS = "written.json"  # in the folder, until all is vetted


def written_responses(
    model: "Model", trait: Trait, settings: "ResponseSettings", folder: Path | None = None
) -> list[Written]:
    """Return every scenario's responses in order, generated where none is given.

    What was generated is kept in ``folder``, and a later call that asks for the same reads it.
    """
    planned = [
        (scenario, number)
        for scenario in trait.scenarios
        for number in range(settings.per_scenario if scenario.response is None else 1)
    ]
    wanted = [one for one, _ in planned if one.response is None]
    texts = iter(_texts(model, wanted, settings, folder))
    examples: list[Example] = []
    for scenario, number in planned:
        text = next(texts) if scenario.response is None else scenario.response
        examples.append(_numbered(scenario.example(text), number, settings.per_scenario))
    lengths = _lengths(model, examples, settings.render)
    return [
        Written(example, scenario, length)
        for example, (scenario, _), length in zip(examples, planned, lengths, strict=True)
    ]


def _texts(
    model: "Model",
    scenarios: Sequence[Scenario],
    settings: "ResponseSettings",
    folder: Path | None,
) -> list[str]:
    """Return what the model answers to each scenario: as it was kept, or anew."""
    if not scenarios:
        return []
    from sonde.models.grid import GridRow, GridSettings, generate_grid
    from sonde.steering.session import described

    chosen = GridSettings.model_validate(
        settings.model_dump(include=set(GridSettings.model_fields))
    )
    prompts = [model.render(one.example(), settings.render).ids.tolist() for one in scenarios]
    made_of = {
        "model": described(model),
        "prompts": fingerprint(prompts),
        "generation": chosen.model_dump(mode="json", exclude={"token_budget"}),
    }
    kept = None if folder is None else _kept(folder / TEXTS, made_of)
    if kept is not None:
        return kept
    rows = [GridRow(number) for number in range(len(prompts))]
    texts = {one.row: one.text.strip() for one in generate_grid(model, prompts, rows, chosen)}
    found = [texts[number] for number in range(len(rows))]
    if folder is not None:
        write_json(folder / TEXTS, {"made_of": made_of, "texts": found})
    return found


def _kept(path: Path, made_of: dict[str, Any]) -> list[str] | None:
    """Return the texts of a file; None where there is none of these."""
    if not path.is_file():
        return None
    try:
        held = read_json(path)
    except SondeError:  # not written by ``write_json``, which is atomic
        return None
    whole = isinstance(held, dict) and held.get("made_of") == made_of
    return list(held["texts"]) if whole else None


def _numbered(example: Example, number: int, per_scenario: int) -> Example:
    """Give the answers of one scenario ids of their own and one group."""
    if per_scenario == 1:
        return example
    return replace(
        example, id=f"{example.id}/{number + 1}", group=example.group or f"of {example.id}"
    )


def _lengths(model: "Model", examples: Sequence[Example], settings: RenderSettings) -> list[int]:
    """Return the tokens of each response as it stands in the rendered example; 0 where empty."""
    full = [one for one in examples if one.response and one.response.strip()]
    spans = (model.render(one, settings).spans.response for one in full)
    known = {one.id: span[1] - span[0] for one, span in zip(full, spans, strict=True) if span}
    return [known.get(one.id, 0) for one in examples]
