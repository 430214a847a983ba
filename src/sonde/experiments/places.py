"""The check of layers and hook points against a model's configuration, before it is loaded."""

from sonde.core.errors import SondeError
from sonde.experiments.facts import reach
from sonde.experiments.sizes import depth_of
from sonde.experiments.spec import Planned, Specification


def check_places(spec: Specification) -> None:
    """Refuse an experiment that reads a model where it has nothing.

    A model whose configuration is not at hand is left to the loading, which says why.

    Raises:
        SondeError: a layer lies outside its model, or a hook point cannot be read.
    """
    for planned in spec.variants:
        for name in planned.experiment.stages:
            _check(name, planned)


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
