"""The check of the files that stages read, and of controls, before the first stage runs."""

from pathlib import Path

from sonde.core.errors import SondeError
from sonde.experiments.spec import Planned, Specification


def check_files(spec: Specification) -> None:
    """Refuse an experiment of which a file is missing or no use, before hours go into others.

    Stages that a gate may leave out, their own or of a stage that they read, are left to their
    turn.

    Raises:
        SondeError: a file or folder that a stage names does not exist, or cannot serve.
    """
    for planned in spec.variants:
        stages = planned.experiment.stages
        for name in _sure(planned):
            for setting, path in stages[name].files(planned.base).items():
                if not path.exists():
                    raise no_such_file(name, setting, path)
            try:
                stages[name].check_files(planned.base)
            except SondeError as error:
                raise SondeError(f"stages.{name}: {error.what}", fix=error.fix) from None


def check_controls(spec: Specification) -> None:
    """Refuse claims on a control or baseline that, by the files, a result will not have.

    Raises:
        SondeError: a claim is.
    """
    for problem in control_problems(spec):
        raise problem


def control_problems(spec: Specification) -> tuple[SondeError, ...]:
    """Return what claims say of controls and baselines that there will not be, each once."""
    found: dict[str, SondeError] = {}
    for name, claim in spec.claims.items():
        for reference in (one for one in claim.references() if one.against):
            for planned in spec.variants:
                stage = planned.experiment.stages[reference.stage]
                why = stage.absent_controls(planned.base).get(reference.against)
                if why is not None and reference.variant in ("", planned.label):
                    what = f"claims.{name} reads {reference}, which there will not be: {why}"
                    found[what] = SondeError(what, fix="Mend that, or leave the claim out.")
    return tuple(found.values())


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
