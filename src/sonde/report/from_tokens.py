"""The token view from fitted probes and the activations of every token."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.report.from_results import METRIC_NAMES
from sonde.report.sections.token_view import TokenText, TokenView
from sonde.report.token_budget import bounded
from sonde.report.token_scores import (
    TokenScores,
    by_token,
    centred,
    is_bounded,
    is_shared,
    output_of,
    plain,
    row_of,
    scale_of,
    token_scores,
)
from sonde.report.token_truth import TokenTruth, is_positive, read_at, template_of, truth_of

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
SHARED = (
    "The probe weighs a text’s tokens against each other; each token has its share of what is said "
    "of the text, 0 where the probe does not look."
)


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
    said = [token_scores(probe, acts, shown, rendered) for probe in probes]
    low, threshold, high = scale_of(first, [one.shown for one in said])
    texts = [_text(example, rendered[example.id], acts, first, said) for example in examples]
    texts = [
        replace(
            text,
            positive=is_positive(first, text.label, shown),
            truth=truth_of(first, text, rendered[text.name], shown, truth),
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
            score=_unit(first, positive),
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
    pooled = [SHARED if is_shared(probe) else ALONE] * probe.reader.pools
    return notes + pooled + [CENTRED] * one_place


def _unit(probe: "Probe", positive: str) -> str:
    """Say what a token's number is."""
    if is_bounded(probe):
        return f"probability of {positive}"
    if not is_shared(probe):
        return "score"
    of = {"logit": f"the log-odds of {positive}", "logits": f"the logit of {positive}"}
    return f"share of {of.get(probe.says, 'the score')}"


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
        read_at=read_at(probe.position, rendered),
        template=template_of(rendered),
        name=example.id,
    )


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
