"""What vectors cannot be made from, said before anything is fitted."""

import hashlib

import numpy as np

from sonde.activations.activations import Activations
from sonde.activations.massive_report import MassiveDimensions
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import Span, parse_position
from sonde.probes.targets import Targets

OF_RESIDUAL = (Site.RESID_PRE, Site.RESID_MID, Site.RESID_POST, Site.ATTN_OUT, Site.MLP_OUT)


def check_sides(acts: Activations, targets: Targets) -> None:
    """Refuse a side that is too small, and the same text on both.

    Raises:
        SondeError: a side has fewer than two examples, or two examples of different sides have the
            same text, or the same activations everywhere.
    """
    _, first = np.unique(targets.example, return_index=True)
    sides = targets.values[first, 0]
    for value, label in enumerate(targets.labels):
        count = int((sides == value).sum())
        if count < 2:
            raise SondeError(
                f"The side {label!r} has {count} example{'' if count == 1 else 's'}.",
                fix="Give at least two texts on each side.",
            )
    names = targets.example[first].tolist()
    texts = [" ".join(targets.texts.get(name, "").split()).casefold() for name in names]
    _refuse_both(texts, sides, names, "text")
    _refuse_both(_signatures(acts, targets, names), sides, names, "activations")


def _refuse_both(content: list[str], sides: np.ndarray, names: list[str], what: str) -> None:
    of_content: dict[str, int] = {}
    for number, one in enumerate(content):
        if not one:
            continue
        other = of_content.setdefault(one, number)
        if sides[other] != sides[number]:
            have = "is the same" if what == "text" else "are the same at every position"
            raise SondeError(
                f"The {what} of {names[other]!r} and of {names[number]!r}, which lie on different "
                f"sides, {have}.",
                fix="Leave such texts out; nothing tells the sides apart there."
                if what == "text"
                else "Give texts that differ, or a position that sees where they do.",
            )


def _signatures(acts: Activations, targets: Targets, names: list[str]) -> list[str]:
    """Return a hash of each example's activations at the deepest hook point, all positions."""
    x = acts.tensor(acts.hooks[-1]).flatten(1).float()
    found = {name: hashlib.sha256() for name in names}
    for example, row in zip(targets.example.tolist(), targets.index.tolist(), strict=True):
        found[example].update(x[row].numpy().tobytes())
    return [found[name].hexdigest() for name in names]


def check_window(acts: Activations, index: np.ndarray, position: str) -> str:
    """Refuse a window that is longer than every response; say how many are shorter than it.

    Raises:
        SondeError: no row has as many tokens as the window asks for.
    """
    where = parse_position(position)
    if where.span is not Span.RESPONSE or where.stop is None or where.stop <= 0:
        return ""
    length = where.stop - max(where.start or 0, 0)
    pooled = acts.rows.n_tokens[index]
    longest = int(pooled.max())
    if longest < length and str(where.pool) in ("mean", "max"):
        raise SondeError(
            f"The window {position} is longer than every response: the longest has {longest} of "
            f"its {length} tokens.",
            fix="Take a shorter window, or longer responses (max_new_tokens).",
        )
    short = int((pooled < length).sum())
    if short and str(where.pool) in ("mean", "max"):
        return f"{short} of {len(pooled)} responses are shorter than {position}."
    return ""


def check_massive(acts: Activations, massive: MassiveDimensions) -> None:
    """Refuse massive dimensions of another model.

    Raises:
        SondeError: the weights differ, or where they are not known the names do.
    """
    own, other = acts.origin, massive.origin
    known = own.model_fingerprint and other.model_fingerprint
    same = (
        own.model_fingerprint == other.model_fingerprint
        if known
        else (own.model, own.revision) == (other.model, other.revision)
    )
    if not same:
        raise SondeError(
            f"The massive dimensions are of {other.model or 'an unnamed model'}, the activations "
            f"of {own.model or 'an unnamed model'}{', with other weights' if known else ''}.",
            fix="Measure the massive dimensions of the model that the vectors are made from.",
        )


def typical_norm_at(massive: MassiveDimensions | None, hook: HookPoint) -> float | None:
    """Return the typical norm of the residual stream at a hook point, None where it is not known.

    What is added to the residual stream (``attn_out``, ``mlp_out``) has the unit of the stream at
    its layer; ``resid_pre`` is the ``resid_post`` of the layer before.
    """
    if massive is None or hook.site not in OF_RESIDUAL or massive.settings.site != "resid_post":
        return None
    layer = hook.layer - 1 if hook.site is Site.RESID_PRE else hook.layer
    return massive.typical_norm(layer) if layer in massive.layers else None
