"""Read texts with a fitted probe: the model is run as far as the probe's layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.activations.extraction import extract
from sonde.core.errors import SondeError
from sonde.data.examples import Example, as_examples
from sonde.models.model import Model
from sonde.models.render import RenderSettings
from sonde.probes.probe import Probe, Texts

Template: TypeAlias = Literal["auto", "chat", "none"]
EVERY_TOKEN = "all.each"  # noqa: S105


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token of a text as the model was shown it, and what the probe says there.

    ``start`` and ``end`` are its characters in the rendered text, template included. ``score`` is
    what ``Probe.score`` returns of one row: a number, or one a class or target.
    """

    token: str
    start: int
    end: int
    score: float | tuple[float, ...]


def read_texts(
    probe: Probe, model: Model, data: Texts, *, allow_other_model: bool = False
) -> Float[Tensor, " example"] | Float[Tensor, "example output"]:
    """Score texts at the probe's own position, one row a text, in their order.

    Raises:
        SondeError: the model is another, a text does not have the position or is too long, a row
            is not finite, or the position is of several tokens that the probe reads one by one.
    """
    examples = _examples(data)
    acts = _extracted(probe, model, examples, probe.position, allow_other_model)
    said = probe.apply(acts, allow_other_model=allow_other_model)
    names, first, counts = np.unique(acts.rows.example, return_index=True, return_counts=True)
    if counts.max() > 1 and not probe.reader.pools:
        raise SondeError(
            f"The position {probe.position} is {counts.max()} tokens of example "
            f"{str(names[counts.argmax()])!r}, and the probe reads each alone.",
            fix="Use tokens() for the score of every token.",
        )
    row_of = dict(zip(names.tolist(), first.tolist(), strict=True))
    return said[[row_of[one.id] for one in examples]]


def score_tokens(
    probe: Probe, model: Model, text: str | Example, *, allow_other_model: bool = False
) -> tuple[TokenScore, ...]:
    """Score every token of one text, whatever the probe's position.

    A probe that reads an example's tokens together says of each what it would if it were alone.

    Raises:
        SondeError: the model is another, or the text is empty or too long.
    """
    (example,) = _examples(text)
    acts = _extracted(probe, model, (example,), EVERY_TOKEN, allow_other_model)
    rendered = model.render(example, RenderSettings(template=_template(probe)))
    said = probe.score(acts.tensor(probe.hook), torch.arange(len(acts)))
    return tuple(
        TokenScore(rendered.text[start:end], start, end, tuple(one) if said.ndim > 1 else one)
        for (start, end), one in zip(
            rendered.offsets[acts.rows.token].tolist(), said.tolist(), strict=True
        )
    )


def _examples(data: Texts) -> tuple[Example, ...]:
    alone: Any = [data] if isinstance(data, str | Example) else data
    return as_examples(alone)


def _extracted(
    probe: Probe,
    model: Model,
    examples: Sequence[Example],
    position: str,
    allow_other_model: bool,
) -> Activations:
    probe.check(model.info, allow_other_model=allow_other_model)
    acts = extract(
        model,
        examples,
        hooks=str(probe.hook),
        positions=position,
        template=_template(probe),
        max_nonfinite=1.0,
        progress=False,
    )
    lost = sorted({one.example for one in acts.skipped})
    if lost:
        raise SondeError(
            f"{len(lost)} of {len(examples)} texts gave no activations, such as {lost[0]!r}: "
            f"{acts.skipped[0].reason}.",
            fix="Leave such texts out.",
        )
    return acts


def _template(probe: Probe) -> Template:
    """Return the template that the probe was fitted with; each text's own where there were two."""
    given = probe.origin.template
    return cast("Template", given) if given in ("chat", "none") else "auto"
