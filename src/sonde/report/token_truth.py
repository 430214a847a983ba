"""What is known of each token of a text: where it was read, and what it was to be read as."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.positions import Pool, parse_position
from sonde.report.sections.token_view import TokenText
from sonde.report.token_scores import is_shared

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.models.render import Rendered
    from sonde.probes.probe import Probe


@dataclass(frozen=True, slots=True)
class TokenTruth:
    """What is true of each token of each example, by id; None where it is not known.

    ``says`` puts it in words: ``the next token is ‘ the’``.
    """

    says: str
    of: Mapping[str, Sequence[bool | None]]


def is_positive(probe: "Probe", label: str, output: int) -> bool | None:
    """Say whether a text's class is the one that is shown; None where that is not known."""
    if probe.says == "number" or label not in probe.labels:
        return None
    if probe.says == "logits":
        return probe.labels.index(label) == output
    return label == probe.labels[1] if len(probe.labels) == 2 else None


def truth_of(
    probe: "Probe", text: TokenText, rendered: "Rendered", output: int, given: TokenTruth | None
) -> tuple[bool | None, ...]:
    """Return what is true of each token; by default its text's class where it was fitted on."""
    if given is not None:
        found = tuple(given.of.get(text.name, ()))
        if found and len(found) != len(text.tokens):
            raise SondeError(
                f"There are {len(found)} truths for the {len(text.tokens)} tokens of {text.name!r}."
            )
        return found
    positive = is_positive(probe, text.label, output)
    position = parse_position(probe.position)
    of_tokens = position.pool is Pool.EACH or probe.reader.pools
    if positive is None or is_shared(probe) or not of_tokens or position.index is not None:
        return ()
    try:
        fitted = set(position.tokens(rendered.spans))
    except SondeError:
        return ()
    return tuple(positive if at in fitted else None for at in range(len(text.tokens)))


def read_at(position: str, rendered: "Rendered") -> int | None:
    """Return the token that the probe was fitted on, None where it was several."""
    try:
        tokens = parse_position(position).tokens(rendered.spans)
    except SondeError:
        return None
    return int(tokens[0]) if len(tokens) == 1 else None


def template_of(rendered: "Rendered") -> tuple[int, ...]:
    """Return the tokens outside every message and response; none where there is no template."""
    spans = rendered.spans
    own: set[int] = set()
    for stretch in (*spans.turns, spans.user, spans.response):
        own.update(range(*stretch) if stretch else ())
    return tuple(token for token in range(spans.n_tokens) if token not in own) if own else ()
