"""Text coloured by its projection on a vector: steered answers beside the unsteered ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sonde.core.hooks import parse_hook_point
from sonde.report.sections.token_view import TokenText, TokenView

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.steering.projections import Projections

TEXTS = 3  # questions whose answers are shown, each as every reading has it
REACH = 0.98  # the quantile of the projections' sizes that has the full colour


def projections_from(read: "Mapping[str, Projections]", vector: str) -> TokenView:
    """Colour the answers to some questions by one vector, under the name of each reading."""
    first = next(iter(read.values()))
    at = [one.name for one in first.vectors].index(vector)
    hook = parse_hook_point(first.vectors[at].hook)
    values = {name: found.in_units()[:, at] for name, found in read.items()}
    sizes = np.abs(np.concatenate(list(values.values())))
    high = max(float(np.quantile(sizes[np.isfinite(sizes)], REACH)), 1e-6)
    texts = tuple(
        _text(found, values[name], asked, name)
        for asked in first.texts[:TEXTS]
        for name, found in read.items()
        if asked in found.texts
    )
    return TokenView(
        layers=(hook.layer,),
        texts=texts,
        classes=("against", "along"),
        threshold=0.0,
        low=-high,
        high=high,
        score="projection, in typical norms",
        note=f"Every token's projection on {vector}; prompt tokens are read without steering.",
        title="Along the vector, token by token",
    )


def _text(found: "Projections", values: np.ndarray, asked: str, name: str) -> TokenText:
    rows = np.flatnonzero(found.text == found.texts.index(asked))
    prompt = rows[~found.generated[rows]]
    return TokenText(
        tokens=tuple(found.piece[row] for row in rows.tolist()),
        ids=tuple(found.token_id[rows].tolist()),
        scores=(tuple(values[rows].tolist()),),
        name=f"{asked} ({name.split('@', maxsplit=1)[0]})",
        template=tuple(range(len(prompt))),
    )
