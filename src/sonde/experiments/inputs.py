"""The check that the files are there which stages read, before the first stage runs."""

from pathlib import Path

from sonde.core.errors import SondeError
from sonde.experiments.spec import Planned, Specification


def check_files(spec: Specification) -> None:
    """Refuse an experiment of which a file is missing, before hours go into the stages before it.

    Stages that a gate may leave out, their own or of a stage that they read, are left to their
    turn.

    Raises:
        SondeError: a file or folder that a stage names does not exist.
    """
    for planned in spec.variants:
        stages = planned.experiment.stages
        for name in _sure(planned):
            for setting, path in stages[name].files(planned.base).items():
                if not path.exists():
                    raise no_such_file(name, setting, path)


def no_such_file(name: str, setting: str, path: Path) -> SondeError:
    """Return what is said of a file that a stage names and that is not there."""
    return SondeError(
        f"stages.{name}.{setting}: {path} does not exist.",
        fix="Relative paths start at the folder of the experiment file.",
    )


def _sure(planned: Planned) -> list[str]:
    """Return the stages that no gate stands before, in the order in which they run."""
    stages = planned.experiment.stages
    sure: list[str] = []
    for name in planned.order:
        read = [one.stage for one in stages[name].inputs() if not one.optional]
        if stages[name].when is None and all(one in sure for one in read):
            sure.append(name)
    return sure
