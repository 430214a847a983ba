"""The check of layers and hook points against a model's configuration, before it is loaded."""

from collections.abc import Iterator
from pathlib import Path

from sonde.activations.settings import ExtractSettings
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point, resolve_layers
from sonde.experiments.claims.references import ResultReference, parse_reference
from sonde.experiments.facts import reach
from sonde.experiments.folder import ResultFolder
from sonde.experiments.keys import key_of, known_contents
from sonde.experiments.sizes import depth_of
from sonde.experiments.spec import Planned, Specification


def check_places(spec: Specification) -> None:
    """Refuse an experiment that reads a model, or claims something, where the model has nothing.

    A model whose configuration is not at hand is left to the loading, which says why.

    Raises:
        SondeError: a layer lies outside its model, a hook point cannot be read, or a claim is about
            a layer that is not read.
    """
    for planned in spec.variants:
        for name in planned.experiment.stages:
            _check(name, planned)
            for problem in layer_problems(name, planned):
                raise problem
    for problem in claim_problems(spec):
        raise problem


def layer_problems(name: str, planned: Planned) -> Iterator[SondeError]:
    """Yield what a stage asks for by the block's number and will not find."""
    stages = planned.experiment.stages
    for source, layers in stages[name].asked_layers(stages).items():
        read = _layers_behind(source, planned)
        absent = [layer for layer in layers if read is not None and layer not in read]
        if read is not None and absent:
            where = f" with {planned.label}" if planned.label else ""
            blocks = f"block{'s' if len(absent) > 1 else ''} {', '.join(map(str, absent))}"
            yield SondeError(
                f"stages.{name}{where} names {blocks}, which {source} does not read.",
                fix=f"It reads {', '.join(map(str, sorted(read)))}, counted from 0.",
            )


def will_read(spec: Specification, root: Path, force: tuple[str, ...]) -> bool:
    """Whether a model may have to be read: some stage that does has no result yet."""
    for planned in spec.variants:
        stages = planned.experiment.stages
        reading = [name for name, stage in stages.items() if stage.reads() is not None]
        contents = known_contents(planned) if reading else {}
        for name in reading:
            if name in force or name not in contents:
                return True
            if ResultFolder(root / name / key_of(contents[name])).done is None:
                return True
    return False


def claim_problems(spec: Specification) -> tuple[SondeError, ...]:
    """Return what claims and stated values say of layers that are not read, each once."""
    named = [
        (f"claims.{name}", reference)
        for name, claim in spec.claims.items()
        for reference in claim.references()
    ]
    stated = spec.variants[0].experiment.references
    named += [(f"references.{text}", parse_reference(text)) for text in stated]
    found = {
        problem.what: problem
        for place, reference in named
        for planned in spec.variants
        if reference.variant in ("", planned.label)
        for problem in _unread(place, reference, planned)
    }
    return tuple(found.values())


def _unread(place: str, reference: ResultReference, planned: Planned) -> Iterator[SondeError]:
    names = planned.experiment.stages[reference.stage].result_names()
    if not names.is_place(reference.result):
        return
    layer = parse_hook_point(reference.result.split(" ", 1)[0]).layer
    read = _layers_behind(reference.stage, planned)
    if read is not None and layer not in read:
        where = f" with {planned.label}" if planned.label else ""
        listed = ", ".join(map(str, sorted(read)))
        yield SondeError(
            f"{place} is about {reference}, and {reference.stage} reads no layer {layer}{where}.",
            fix=f"It reads {'layers' if len(read) > 1 else 'layer'} {listed}, counted from 0.",
        )


def _layers_behind(name: str, planned: Planned) -> set[int] | None:
    """Return the layers of the activations that a stage is computed from; None if not known."""
    found: set[int] = set()
    left = [name]
    while left:
        one = left.pop()
        stage = planned.experiment.stages[one]
        settings = stage.reads()
        if settings is None and stage.gives == "activations":
            return None  # made elsewhere
        left += [reference.stage for reference in stage.inputs()]
        if settings is not None:
            try:
                model = planned.model_of(one)
                layers = None if model is None else _layers_of(settings, depth_of(model))
            except SondeError:
                return None
            if layers is None:
                return None
            found |= layers
    return found or None


def _layers_of(settings: ExtractSettings, n_layers: int) -> set[int] | None:
    """Return the layers that are read; None where a name needs the model itself to be resolved."""
    names = (settings.hooks,) if isinstance(settings.hooks, str) else settings.hooks
    if any("layers." in name or name.startswith("transformer.") for name in names):
        return None
    points = [parse_hook_point(name) for name in names if name.startswith("blocks.")]
    found = {layer for point in points for layer in resolve_layers(point.layer, n_layers)}
    if len(points) < len(names):
        found |= set(resolve_layers(settings.layers, n_layers))
    return found


def _check(name: str, planned: Planned) -> None:
    settings = planned.experiment.stages[name].reads()
    if settings is None:
        return
    try:
        model = planned.model_of(name)
        n_layers = None if model is None else depth_of(model)
    except SondeError:
        return
    if n_layers is None:
        return
    try:
        reach(settings, n_layers)
    except SondeError as error:
        where = f"stages.{name}{f' with {planned.label}' if planned.label else ''}"
        raise SondeError(f"{where}: {error.what}", fix=error.fix) from None
