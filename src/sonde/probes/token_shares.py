"""Tokens' shares of what an attention probe says of a text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.probes.attention_solver import AttentionReader
from sonde.probes.probe import Probe

if TYPE_CHECKING:
    from sonde.models.render import Rendered


def has_shares(probe: Probe) -> bool:
    """Whether a probe's score of a text is a sum over its tokens."""
    return isinstance(probe.reader, AttentionReader)


def token_shares(
    probe: Probe, acts: Activations, rendered: Mapping[str, "Rendered"]
) -> Float[np.ndarray, "row output"]:
    """Return what each token adds to the logit, or number, that the probe says of its text.

    ``acts`` holds each token of the texts, ``rendered`` the texts by id. The shares of a text and
    the reader's ``offset`` add up to what the probe says of it. Tokens outside the probe's position
    have a share of 0; NaN stands in texts without that position, and in rows of several tokens.
    """
    reader = probe.reader
    assert isinstance(reader, AttentionReader)
    rows, x = acts.rows, acts.tensor(probe.hook)
    shares = np.full((len(rows), len(reader.bias)), np.nan)
    position = parse_position(probe.position)
    for example, text in rendered.items():
        here = np.flatnonzero((rows.example == example) & (rows.n_tokens == 1))
        try:
            read = position.tokens(text.spans)
        except SondeError:
            continue
        _, first = np.unique(rows.token[here], return_index=True)
        shares[here] = 0.0
        here = here[first]  # in the order of the tokens, each once
        here = here[np.isin(rows.token[here], read)]
        if len(here):
            shares[here] = reader.shares(x[torch.from_numpy(here)]).cpu().numpy()
    return shares
