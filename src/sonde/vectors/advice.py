"""The recommendation in words: how bad massive dimensions are, which method, window and cleaning.

It rests on what was measured of the vectors themselves, without steering: how much of their length
lies in massive dimensions, their cosines, and what they separate of held-out rows. A vector that
separates need not steer; the words say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonde.activations.massive_report import MassiveDimensions
from sonde.core.errors import SondeError
from sonde.core.words import true_minus
from sonde.vectors.vector import UNCLEANED, Vector
from sonde.vectors.vector_set import VectorSet

DOMINATED = 0.5  # share of squared length in massive dimensions from which they decide a direction
ALIKE = 0.95  # cosine from which two directions are called nearly the same
CONTROLS = ("random",)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was measured of the vectors of one kind at one window, over the layers.

    ``d`` is the median of Cohen's d over the layers, ``best_d`` the largest, at ``best_layer``;
    ``massive_share`` the median share of squared length in massive dimensions. NaN where not
    measured.
    """

    kind: str
    position: str
    d: float
    best_d: float
    best_layer: int
    massive_share: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The recommendation: ``severity`` is none, mild or severe; ``sentences`` are the words, the
    choice first.

    ``method``, ``cleaning`` and ``position`` are what is recommended to try first. ``rests_on``
    says what was measured, and what was not.
    """

    severity: str
    method: str
    cleaning: str
    position: str
    layer: int
    sentences: tuple[str, ...]
    rests_on: str
    table: tuple[Summary, ...]

    def __str__(self) -> str:
        return "\n".join((*self.sentences, self.rests_on))


def advise(vectors: VectorSet, massive: MassiveDimensions | None) -> Advice:
    """Say which vectors to steer with first, and what that rests on.

    Raises:
        SondeError: there is no vector that was scored, controls apart.
    """
    table = _table(vectors)
    scored = [one for one in table if np.isfinite(one.best_d)]
    if not scored:
        raise SondeError(
            "No vector of the set was scored on held-out rows, so there is nothing to advise on.",
            fix="Make the vectors from activations with labels (vectors_from).",
        )
    severity = _severity(massive)
    chosen = _choice(scored, severity)
    method, _, cleaning = chosen.kind.partition("/")
    sentences = [
        _on_choice(chosen, scored, severity),
        _on_severity(severity, massive),
        *_on_mean_difference(table, vectors, severity),
        *_on_windows(table),
    ]
    layers = len(vectors.layers)
    return Advice(
        severity=severity,
        method=method,
        cleaning=cleaning or UNCLEANED,
        position=chosen.position,
        layer=chosen.best_layer,
        sentences=tuple(sentences),
        rests_on=(
            f"This rests on cosines, on shares of squared length and on Cohen's d of held-out rows "
            f"at {layers} layer{'s' if layers > 1 else ''}, not on steering: what separates best "
            "need not steer best."
        ),
        table=table,
    )


def _severity(massive: MassiveDimensions | None) -> str:
    if massive is None:
        return "not measured"
    if any(one.severe for one in massive.dimensions):
        return "severe"
    return "mild" if massive.dimensions else "none"


def _table(vectors: VectorSet) -> tuple[Summary, ...]:
    found: list[Summary] = []
    for kind in vectors.kinds:
        for position in vectors.positions:
            own = [one for one in vectors if one.kind == kind and one.position == position]
            if own and own[0].method not in CONTROLS:
                found.append(_summary(kind, position, own))
    return tuple(found)


def _summary(kind: str, position: str, own: Sequence[Vector]) -> Summary:
    d = np.array([_d(one) for one in own])
    shares = [one.massive_share for one in own if one.massive]
    known = np.isfinite(d)
    best = int(np.argmax(np.where(known, d, -np.inf)))
    return Summary(
        kind=kind,
        position=position,
        d=float(np.median(d[known])) if known.any() else float("nan"),
        best_d=float(d[best]) if known.any() else float("nan"),
        best_layer=own[best].layer,
        massive_share=float(np.median(shares)) if shares else float("nan"),
    )


def _d(vector: Vector) -> float:
    return vector.metrics["cohens_d"].value if "cohens_d" in vector.metrics else float("nan")


def _choice(scored: Sequence[Summary], severity: str) -> Summary:
    """Take the largest d, of vectors that massive dimensions do not decide where they are severe.

    Among equals, within a tenth, the plainest: uncleaned first, then as they were made.
    """
    free = [one for one in scored if not one.massive_share >= DOMINATED]
    among = free if severity == "severe" and free else list(scored)
    top = max(one.best_d for one in among)
    near = [one for one in among if one.best_d >= 0.9 * top] or among
    return min(near, key=lambda one: ("/" in one.kind, -one.best_d))


def _on_severity(severity: str, massive: MassiveDimensions | None) -> str:
    if massive is None:
        return "Massive dimensions were not measured, so nothing is known of their part."
    if severity == "none":
        return "The model has no massive dimensions by the setting's ratio; cleaning is needless."
    largest = massive.dimensions[0]
    count = len(massive.dimensions)
    return (
        f"Massive dimensions are {severity}: {count} coordinate{'s' if count > 1 else ''}, of "
        f"which {largest.dimension} is {max(largest.ratios):.0f} times the median coordinate."
    )


def _on_mean_difference(
    table: Sequence[Summary], vectors: VectorSet, severity: str
) -> tuple[str, ...]:
    if severity not in ("mild", "severe"):
        return ()
    said: list[str] = []
    for one in table:
        if one.kind == "mean_difference" and one.massive_share >= DOMINATED:
            said.append(
                f"The mean difference at {one.position} has {one.massive_share:.0%} of its squared "
                "length in them, so steering with it mostly pushes along them."
            )
    kinds = [kind for kind in vectors.kinds if kind.startswith("mean_difference")]
    if "probe" in vectors.kinds and kinds:
        means = {kind: vectors.cosines(kind, "probe").mean for kind in kinds}
        near = "nearly" if min(means.values()) >= ALIKE else "not"
        each = ", ".join(f"{kind} {true_minus(f'{mean:.2f}')}" for kind, mean in means.items())
        said.append(
            f"A mean difference is {near} the probe's direction: mean cosines with it are {each}."
        )
    return tuple(said)


def _on_windows(table: Sequence[Summary]) -> tuple[str, ...]:
    """Compare the windows of the uncleaned kinds that have several."""
    said: list[str] = []
    for kind in dict.fromkeys(one.kind for one in table if "/" not in one.kind):
        own = [one for one in table if one.kind == kind and np.isfinite(one.d)]
        if len(own) < 2:
            continue
        first, last = (pick(own, key=lambda one: one.d) for pick in (max, min))
        if first.d > 1.1 * last.d:
            said.append(
                f"{kind} at {first.position} ({first.d:.2f}; at {last.position} "
                f"{true_minus(f'{last.d:.2f}')})"
            )
    if not said:
        return ()
    return (f"Windows differ; by median d over the layers these are best: {', '.join(said)}.",)


def _on_choice(chosen: Summary, scored: Sequence[Summary], severity: str) -> str:
    top = max(scored, key=lambda one: one.best_d)
    words = (
        f"Try {chosen.kind} at {chosen.position} first, about layer {chosen.best_layer} (d "
        f"{true_minus(f'{chosen.best_d:.2f}')})"
    )
    if top.kind == chosen.kind and top.position == chosen.position:
        return words + ", which separates best."
    if severity == "severe" and top.massive_share >= DOMINATED:
        return (
            words + f"; {top.kind} at {top.position} separates better (d {top.best_d:.2f}), but "
            f"{top.massive_share:.0%} of it lies in massive dimensions."
        )
    return words + (
        f"; {top.kind} at {top.position} separates hardly better (d "
        f"{true_minus(f'{top.best_d:.2f}')}) and is less plain."
        if "/" in top.kind
        else f", the best within a tenth ({top.kind} at {top.position} has d {top.best_d:.2f})."
    )
