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
from sonde.core.positions import parse_position
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
    what ``Probe.score`` returns of one row: a number, or one a class or target; of an attention
    probe the token's share of the logit, or number, that is said of the text.
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

    A multi-token probe, which pools the scores of tokens, has one for each. An attention probe
    weighs them against each other: a token's score is then its share of what is said of the text,
    0 outside the probe's position; all shares and ``probe.reader.offset`` add up to that.

    Raises:
        SondeError: the model is another, the text is empty or too long, or an attention probe's
            position is not in it.
    """
    from sonde.probes.token_shares import has_shares, token_shares

    (example,) = _examples(text)
    acts = _extracted(probe, model, (example,), EVERY_TOKEN, allow_other_model)
    rendered = model.render(example, RenderSettings(template=_template(probe)))
    if has_shares(probe):
        parse_position(probe.position).tokens(rendered.spans)  # refuses a text without it
        shares = torch.from_numpy(token_shares(probe, acts, {example.id: rendered}))
        said = shares[:, 0] if shares.shape[1] == 1 else shares
    else:
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
