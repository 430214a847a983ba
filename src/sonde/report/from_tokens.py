"""The token view from fitted probes and the activations of every token."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.positions import Pool, parse_position
from sonde.data.examples import Example
from sonde.report.from_results import METRIC_NAMES
from sonde.report.sections.token_view import TokenText, TokenView
from sonde.report.token_budget import bounded
from sonde.report.token_scores import (
    TokenScores,
    by_token,
    centred,
    is_bounded,
    output_of,
    plain,
    row_of,
    scale_of,
    token_scores,
)

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.activations import Activations
    from sonde.models.render import Rendered
    from sonde.probes.probe import Probe
    from sonde.probes.results import LayerResult, ProbeResults

NOTE = "Each token has the score that the block’s probe gives it."
HELD_OUT = (
    "The colours come from the probe fitted on all rows; how a text is read comes from the fold "
    "that left it out."
)
CENTRED = (
    "The probe was fitted at one place, and elsewhere all tokens may lie on one side of it, so "
    "colours compare a token with the block’s median token; tooltips have the score itself."
)
ALONE = (
    "The probe reads a text’s tokens together; here each token has the score that it would have "
    "alone."
)


@dataclass(frozen=True, slots=True)
class TokenTruth:
    """What is true of each token of each example, by id; None where it is not known.

    ``says`` puts it in words: ``the next token is ‘ the’``.
    """

    says: str
    of: Mapping[str, Sequence[bool | None]]


def token_view_from(
    results: "ProbeResults",
    acts: "Activations",
    rendered: Mapping[str, "Rendered"],
    examples: Sequence[Example],
    *,
    truth: TokenTruth | None = None,
    output: str | None = None,
) -> TokenView:
    """Colour some examples by every layer's probe.

    ``acts`` holds each token of the examples (position ``all.each``) at the probes' hook points,
    ``rendered`` the tokens of each example by id. ``truth`` is what each token was to be read as;
    without it tokens that the probe was fitted on have their example's class. Of a probe of several
    classes or targets ``output`` is shown, the first unless named.

    Raises:
        SondeError: the activations lack tokens of an example, or are another model's; there is no
            such output.
    """
    best = results.best_layer
    layers = [
        layer
        for layer in results.layers
        if layer.hook.site == best.hook.site and layer.position == best.position
    ]
    view = token_view_of(
        [layer.probe for layer in layers], acts, rendered, examples, truth=truth, output=output
    )
    texts = view.texts
    if truth is None and _has_outcome(best.probe):
        texts = tuple(
            replace(text, outcome=tuple(_outcome(layer, text.name) for layer in layers))
            for text in texts
        )
    return replace(
        view,
        texts=texts,
        start=best.hook.layer,
        quality=tuple(layer.score.value for layer in layers),
        metric=METRIC_NAMES.get(results.metric, results.metric),
        note=f"{view.note} {HELD_OUT}" if any(text.outcome for text in texts) else view.note,
    )


def token_view_of(
    probes: Sequence["Probe"],
    acts: "Activations",
    rendered: Mapping[str, "Rendered"],
    examples: Sequence[Example],
    *,
    truth: TokenTruth | None = None,
    output: str | None = None,
) -> TokenView:
    """Colour some examples by probes of one kind, site and position, one a layer.

    Raises:
        SondeError: as ``token_view_from``.
    """
    first = probes[0]
    shown = output_of(first, output)
    said = [token_scores(probe, acts, shown) for probe in probes]
    low, threshold, high = scale_of(first, [one.shown for one in said])
    texts = [_text(example, rendered[example.id], acts, first, said) for example in examples]
    texts = [
        replace(
            text,
            positive=_is_positive(first, text.label, shown),
            truth=_truth(first, text, rendered[text.name], shown, truth),
        )
        for text in texts
    ]
    one_place = truth is None and parse_position(first.position).index is not None
    if one_place:
        raw = [one.raw for one in said]
        texts = centred(texts, [by_token(acts, text.name, len(text.tokens), raw) for text in texts])
    negative, positive = _classes(first, shown, truth)
    return bounded(
        TokenView(
            layers=tuple(probe.hook.layer for probe in probes),
            texts=tuple(texts),
            classes=(negative, positive),
            threshold=threshold,
            low=low,
            high=high,
            score=f"probability of {positive}" if is_bounded(first) else "score",
            note=" ".join(_notes(first, one_place, truth)),
            shade="middle: the block’s median token" if one_place else "",
            one_sided=truth is not None and is_bounded(first),
            truth_says=truth.says if truth else "",
        )
    )


def _notes(probe: "Probe", one_place: bool, truth: TokenTruth | None) -> list[str]:
    notes = [NOTE]
    if truth is not None:
        name = _classes(probe, 0, truth)[1]
        notes.append(f"A token is to be read as {name!r} where {truth.says}.")
    return notes + [ALONE] * probe.reader.pools + [CENTRED] * one_place


def _classes(probe: "Probe", output: int, truth: TokenTruth | None) -> tuple[str, str]:
    """Name what lies below and above the threshold."""
    if probe.says == "logits":
        name = probe.labels[output]
        return f"not {name}", name
    if probe.says == "number" and len(probe.labels) > 1:
        return f"lower {probe.labels[output]}", f"higher {probe.labels[output]}"
    if len(probe.labels) == 2:
        return probe.labels[0], probe.labels[1]
    return ("no", "yes") if truth else ("below", "above")


def _text(
    example: Example,
    rendered: "Rendered",
    acts: "Activations",
    probe: "Probe",
    said: Sequence[TokenScores],
) -> TokenText:
    if not row_of(acts, example.id):
        raise SondeError(
            f"There are no token activations of example {example.id!r}.",
            fix="Extract these examples with positions='all.each'.",
        )
    text = rendered.text
    return TokenText(
        tokens=tuple(text[start:end] for start, end in rendered.offsets.tolist()),
        ids=tuple(int(token) for token in rendered.ids),
        scores=plain(by_token(acts, example.id, len(rendered.ids), [one.shown for one in said])),
        label="" if example.label is None else str(example.label),
        read_at=_read_at(probe.position, rendered),
        template=_template(rendered),
        name=example.id,
    )


def _is_positive(probe: "Probe", label: str, output: int) -> bool | None:
    """Say whether a text's class is the one that is shown; None where that is not known."""
    if probe.says == "number" or label not in probe.labels:
        return None
    if probe.says == "logits":
        return probe.labels.index(label) == output
    return label == probe.labels[1] if len(probe.labels) == 2 else None


def _truth(
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
    positive = _is_positive(probe, text.label, output)
    position = parse_position(probe.position)
    if positive is None or (position.pool is not Pool.EACH and not probe.reader.pools):
        return ()
    if position.index is not None:
        return ()
    try:
        fitted = set(position.tokens(rendered.spans))
    except SondeError:
        return ()
    return tuple(positive if at in fitted else None for at in range(len(text.tokens)))


def _has_outcome(probe: "Probe") -> bool:
    """Say whether each line of the scores is one number of one row."""
    return probe.says in ("logit", "score") or (probe.says == "number" and len(probe.labels) < 2)


def _outcome(layer: "LayerResult", example: str) -> float | None:
    """Return the out-of-fold score of an example; the mean where it has several rows."""
    import numpy as np

    found = layer.scored.said[layer.scored.example == example]
    if not len(found) or not np.isfinite(found).all():
        return None
    mean = float(found.mean())
    return 1 / (1 + math.exp(-max(-700.0, mean))) if is_bounded(layer.probe) else mean


def _read_at(position: str, rendered: "Rendered") -> int | None:
    """Return the token that the probe was fitted on, None where it was several."""
    try:
        tokens = parse_position(position).tokens(rendered.spans)
    except SondeError:
        return None
    return int(tokens[0]) if len(tokens) == 1 else None


def _template(rendered: "Rendered") -> tuple[int, ...]:
    """Return the tokens outside every message and response; none where there is no template."""
    spans = rendered.spans
    own: set[int] = set()
    for stretch in (*spans.turns, spans.user, spans.response):
        own.update(range(*stretch) if stretch else ())
    return tuple(token for token in range(spans.n_tokens) if token not in own) if own else ()
