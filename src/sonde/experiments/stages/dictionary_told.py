"""What a dictionary stage tells of each dictionary: figures for gates, tables and reports."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sonde.dictionaries.artifact import Figure
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.metrics_decoder import nearest_latents
from sonde.dictionaries.metrics_quality import Quality
from sonde.dictionaries.training.course import Trained

SHOWN = ("variance_explained", "fvu", "l0", "norm_ratio", "cosine")


def figure_of(found: Quality, name: str) -> Figure:
    """Return a held-out metric with its interval; a number that is not finite is None."""
    one = found.interval(name)
    known = {
        key: value if math.isfinite(value) else None
        for key, value in (("value", one.value), ("low", one.low), ("high", one.high))
    }
    return Figure(**known, n=one.n, level=one.level)


def told_of(one: Trained, found: Quality) -> dict[str, Any]:
    """Return what gates and tables may ask of a dictionary."""
    figures = {name: found.interval(name) for name in SHOWN}
    by_prefix = [name for name in found.names if name.startswith("fvu_prefix_")]
    count = len(found.fired)
    return {
        "kind": one.dictionary.architecture.name,
        "latents": count,
        **{name: one.value for name, one in figures.items()},
        "said": {name: str(one) for name, one in figures.items()},
        "held_out": {
            name: figure_of(found, name).model_dump(mode="json") for name in (*SHOWN, *by_prefix)
        },
        "prefixes": list(one.dictionary.architecture.prefixes),
        "fvu_by_prefix": [found.value(name) for name in by_prefix],
        "dead": len(found.dead) / count,
        "dense": len(found.dense) / count,
        **_likeness(one.dictionary),
        "steps": one.steps,
        "first": dict(one.history[0]) if one.history else {},
        "last": dict(one.history[-1]) if one.history else {},
    }


def _likeness(dictionary: Dictionary) -> dict[str, float | None]:
    """Return the mean cosine of decoder rows with their nearest, and the share of near twins."""
    found = [nearest_latents(block.decoder) for block in dictionary.parts]
    cosine, alike = (
        np.mean(each) for each in zip(*((o.mean, o.shared) for o in found), strict=True)
    )
    return {"nearest_cosine": float(cosine) if np.isfinite(cosine) else None, "alike": float(alike)}


def table_of(told: Mapping[str, Any], *, stored: bool) -> dict[str, Any]:
    """Return the table of all dictionaries; ``stored``: they were trained on stored rows."""
    seen, over = ("rows", "groups of rows") if stored else ("text", "documents")
    kept = "First tokens" if stored else "First tokens, separators"
    return {
        "title": f"Dictionaries, on {seen} that training did not see",
        "columns": [
            *("dictionary", "latents", "variance explained", "L0", "norm ratio", "dead", "alike"),
        ],
        "rows": [
            [
                f"{name} ({one['kind']})",
                f"{one['latents']:,}",
                one["said"]["variance_explained"],
                f"{one['l0']:.1f}",
                f"{one['norm_ratio']:.3f}",
                f"{one['dead']:.1%}",
                f"{one['alike']:.1%}",
            ]
            for name, one in told.items()
        ],
        "note": f"Intervals are over {over}. {kept} and attention sinks are left out, as in "
        "training. Dead: active in none of the held-out rows; more of them may show some. Alike: "
        "latents whose decoder row has a cosine of .9 or more with another's.",
    }
