"""Vectors of the gradient method, which runs the model, beside those that are made of rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, resolve_layers
from sonde.core.positions import Position, Span, parse_position
from sonde.data.examples import Example
from sonde.models.model import Model
from sonde.models.render import RenderSettings
from sonde.probes.targets import Labels
from sonde.stats.bootstrap import Bootstrap
from sonde.vectors.checks import typical_norm_at
from sonde.vectors.cleaning import cleaned
from sonde.vectors.held_out import separations
from sonde.vectors.methods import METHODS
from sonde.vectors.methods.gradient import Answer, Climb, gradient
from sonde.vectors.vector import Vector
from sonde.vectors.vector_set import HeldOut, VectorSet
from sonde.vectors.work import Work


def gradient_vectors(work: Work, y: Labels, model: Model | None) -> VectorSet:
    """Optimise a vector at every hook point, and score it on the rows of other groups.

    Raises:
        SondeError: there is no model, or it is another than that of the activations; ``y`` are not
            examples with responses; no response reaches the window; or a typical norm is missing,
            without which the bound has no unit.
    """
    examples = _checked(work, y, model)
    assert model is not None
    settings = work.settings.gradient
    layers = resolve_layers(settings.layers, model.info.n_layers)
    hooks = tuple(hook for hook in work.acts.hooks if hook.layer in layers)
    if not hooks:
        raise SondeError(
            f"Activations were taken at none of the gradient method's layers ({settings.layers}).",
            fix="Extract at those layers, or give gradient: {layers: …}.",
        )
    window = _window(work)
    chosen = _chosen(work)
    answers = _answers(model, [examples[name] for name in chosen], chosen, work, window)
    bounds = torch.tensor(
        [settings.bound * _typical(work, hook) for hook in hooks], device=model.device
    )
    made: dict[bool, Tensor] = {}
    for before in {one.before for one in work.cleanings}:
        free = torch.ones(model.info.d_model, dtype=torch.bool, device=model.device)
        free[list(_dimensions(work, before))] = False
        made[before] = gradient(Climb(model, answers, hooks, bounds, free), settings).double().cpu()
    return _vectors(work, made, hooks, (str(window), chosen))


def _dimensions(work: Work, before: bool) -> tuple[int, ...]:
    return next((c.dimensions for c in work.cleanings if c.before), ()) if before else ()


def _checked(work: Work, y: Labels, model: Model | None) -> dict[str, Example]:
    if model is None:
        raise SondeError(
            "The gradient method runs the model, and none was given.",
            fix="Give model=, the model that the activations are of.",
        )
    own, other = work.acts.origin.model_fingerprint, model.info.fingerprint
    if own and other and own != other:
        raise SondeError(
            f"The activations are of {work.acts.origin.model}, and the model given is "
            f"{model.info.name} with other weights.",
            fix="Give the model that the activations are of.",
        )
    given = list(y) if isinstance(y, Sequence) else []
    if not given or not all(isinstance(one, Example) and one.response for one in given):
        raise SondeError(
            "The gradient method raises the likelihood of responses, and the labels given are not "
            "examples that each have one.",
            fix="Give the examples themselves as y, with their responses.",
        )
    return {one.id: one for one in given if isinstance(one, Example)}


def _window(work: Work) -> Position:
    """Return the setting, or the longest window of the response that activations are of."""
    if work.settings.gradient.window is not None:
        return parse_position(work.settings.gradient.window)
    there = [parse_position(one) for one in dict.fromkeys(work.targets.position.tolist())]
    windows = [one for one in there if one.span is Span.RESPONSE and one.index is None]
    if not windows:
        return Position(Span.RESPONSE)
    return max(windows, key=lambda one: np.inf if one.stop is None else one.stop)


def _chosen(work: Work) -> list[str]:
    """Draw whole groups until there are enough examples of each side; return the examples."""
    targets, wanted = work.targets, work.settings.gradient.examples
    rng = np.random.default_rng(work.settings.seed)
    counts = {0.0: 0, 1.0: 0}
    found: dict[str, None] = {}
    for unit in rng.permutation(np.unique(targets.unit)):
        own = np.flatnonzero(targets.unit == unit)
        for name, side in _sides(work, own).items():
            if counts[side] < wanted:
                counts[side] += 1
                found[name] = None
    return list(found)


def _sides(work: Work, at: np.ndarray) -> dict[str, float]:
    """Return the side of each example of some rows."""
    names, sides = work.targets.example[at].tolist(), work.targets.values[at, 0].tolist()
    return dict(zip(names, sides, strict=True))


def _answers(
    model: Model, examples: list[Example], names: list[str], work: Work, window: Position
) -> tuple[Answer, ...]:
    side = _sides(work, np.arange(len(work.targets.example)))
    sizes = {value: sum(side[name] == value for name in names) for value in (0.0, 1.0)}
    template = "none" if work.acts.origin.template == "none" else "auto"  # as they were extracted
    found: list[Answer] = []
    for name, example in zip(names, examples, strict=True):
        rendered = model.render(example, RenderSettings(template=template))
        tokens = window.tokens(rendered.spans)
        weight = 1.0 if side[name] else -1.0
        found.append(
            Answer(
                ids=np.asarray(rendered.ids[: max(tokens) + 1]),
                start=min(tokens),
                stop=max(tokens) + 1,
                weight=weight / sizes[side[name]],
            )
        )
    return tuple(found)


def _typical(work: Work, hook: HookPoint) -> float:
    norm = typical_norm_at(work.massive, hook)
    if norm is None:
        raise SondeError(
            f"The gradient method bounds its vector in typical norms, and there is none at {hook}.",
            fix="Measure the massive dimensions of the model (massive_dimensions) and give them as "
            "massive=.",
        )
    return norm


def _vectors(
    work: Work,
    made: dict[bool, Tensor],
    hooks: tuple[HookPoint, ...],
    place: tuple[str, list[str]],
) -> VectorSet:
    position, used = place
    settings, at = work.settings.gradient, work.place(position)
    note = (
        f"{METHODS['gradient'].says}; at most {settings.bound:g} typical norms, "
        f"{settings.steps + 1} steps on {len(used)} examples"
    )
    vectors: list[Vector] = []
    for cleaning in work.cleanings:
        for number, hook in enumerate(hooks):
            raw = cleaned(made[cleaning.before][number], cleaning.dimensions)
            vector = work.vector("gradient", cleaning, (hook, position), raw, note)
            if vector is not None:
                vectors.append(replace(vector, n_rows=len(used)))
    if not len(at):
        said = f"gradient vectors are not scored: no activations were taken at {position}."
        return VectorSet(tuple(vectors), {}, (said,))
    return _scored(work, vectors, at, set(used))


def _scored(work: Work, vectors: list[Vector], at: np.ndarray, used: set[str]) -> VectorSet:
    """Score on groups of which nothing was optimised on; the midpoint is that of the others."""
    targets = work.targets
    y, unit = targets.values[at, 0], targets.unit[at]
    seen = np.isin(unit, np.unique(unit[np.isin(targets.example[at], list(used))]))
    index = torch.from_numpy(targets.index[at])
    said: dict[str, np.ndarray] = {}
    for one in vectors:
        along = one.project(work.acts.tensor(one.hook)[index].flatten(1)).double().numpy()
        middle = (along[seen & (y > 0.5)].mean() + along[seen & (y < 0.5)].mean()) / 2
        said[one.name] = np.where(seen, np.nan, along - middle)
    notes: tuple[str, ...] = ()
    if len(np.unique(y[~seen])) < 2:
        notes = ("gradient vectors are not scored: all groups were optimised on.",)
    else:
        bootstrap = Bootstrap(level=work.settings.level, seed=work.settings.seed)
        metrics = separations(np.stack(list(said.values())), y, unit, bootstrap)
        vectors = [replace(one, metrics=found) for one, found in zip(vectors, metrics, strict=True)]
    position = str(targets.position[at][0])
    held = HeldOut(targets.example[at], unit, y, said if not notes else {})
    return VectorSet(tuple(vectors), {position: held}, notes)
