"""Checks of what goes into the model: beginning of text, attention sinks."""

from collections.abc import Iterator

import torch

from sonde.core.hooks import Site
from sonde.data.examples import Example, Message
from sonde.models.evidence import Evidence, Finding

# A token whose residual is this many times the median token's is an attention sink.
SINK_RATIO = 10.0


def check_bos(evidence: Evidence) -> Iterator[Finding]:
    """No text begins with two beginning-of-text tokens, by itself or in the chat template."""
    from sonde.models.render import RenderSettings

    model = evidence.model
    name = "the beginning-of-text token is not doubled"
    bos = getattr(model.tokenizer, "bos_token_id", None)
    if bos is None:
        yield Finding(name, True, "the tokenizer has none")
        return
    plain = Example(id="plain", prompt="Hello there.")
    chat = Example(id="chat", prompt=(Message("user", "Hello there."),))
    cases = [(plain, RenderSettings(template="none"))]
    if getattr(model.tokenizer, "chat_template", None):
        cases.append((chat, RenderSettings(template="chat")))
    starts = {
        example.id: [int(token) == bos for token in model.render(example, settings).ids[:2]]
        for example, settings in cases
    }
    doubled = [kind for kind, start in starts.items() if start == [True, True]]
    counts = ", ".join(f"{kind}: {sum(start)}" for kind, start in starts.items())
    yield Finding(
        name,
        not doubled,
        f"among the first two tokens of a text ({counts})",
        numbers={f"{kind} begins with": float(sum(start)) for kind, start in starts.items()},
    )


def check_sinks(evidence: Evidence) -> Iterator[Finding]:
    """Say which tokens are attention sinks, found by their norm at mid depth. Never fails."""
    model = evidence.model
    layer = model.info.n_layers // 2
    norms = evidence(layer, Site.RESID_POST).float().norm(dim=-1).cpu()
    ratio = norms / norms.median()
    sinks = torch.nonzero(ratio >= SINK_RATIO).flatten().tolist()
    places = sorted({int(evidence.tokens.token[index]) for index in sinks})
    shown = ", ".join(map(str, places))
    found = (
        f"{len(sinks)} of {len(norms)} tokens, at position {shown}"
        if sinks
        else f"none of {len(norms)} tokens"
    )
    yield Finding(
        "attention sinks",
        True,
        f"{found}: the largest norm is {float(ratio.max()):.0f} times the median at block {layer}",
        numbers={"largest ratio": float(ratio.max()), "sinks": float(len(sinks))},
    )
