"""An experiment file as it will be run: read, checked, with its overrides and its sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.experiments.claims.checking import Setting, check_claims, check_purpose
from sonde.experiments.claims.specification import AnyClaim
from sonde.experiments.experiment import Experiment
from sonde.experiments.identity import with_path
from sonde.experiments.variants import Variant, parse_override, variants, with_value
from sonde.experiments.yaml_file import YamlFile, read_yaml
from sonde.models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Planned:
    """One variant of an experiment file, validated: what one pass over its stages will do."""

    label: str  # "seed=1, acts.layers=auto"; empty without a sweep
    experiment: Experiment
    order: tuple[str, ...]
    base: Path  # the folder of the file, where relative paths start
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])  # swept path -> value

    @property
    def after_claims(self) -> tuple[str, ...]:
        """The stages that show verdicts on claims, and what waits for those, in order."""
        found: list[str] = []
        for name in self.order:
            waits = set(self.experiment.needs(name)) & set(found)
            if waits or self.experiment.stages[name].shows_claims:
                found.append(name)
        return tuple(found)

    def model_of(self, name: str) -> ModelSpec | None:
        """Return the model that a stage uses, or None; a path in it is absolute.

        Raises:
            SondeError: the stage needs a model and none is named.
        """
        spec = self.experiment.model_of(name)
        return None if spec is None else with_path(spec, self.base)


@dataclass(frozen=True, slots=True)
class Specification:
    """An experiment file with its overrides and the variants of its sweep."""

    path: Path
    text: str
    overrides: tuple[str, ...]
    variants: tuple[Planned, ...]

    @property
    def base(self) -> Path:
        """The folder where relative paths of the file start."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.variants[0].experiment.name

    @property
    def claims(self) -> Mapping[str, AnyClaim]:
        """The claims by name; all variants make the same."""
        return self.variants[0].experiment.claims


def read_specification(path: Path, overrides: Sequence[str] = ()) -> Specification:
    """Read and check an experiment file; ``overrides`` are texts such as ``acts.layers=auto``.

    Raises:
        SondeError: the file or an override is not valid; file, line and nearest key are named.
    """
    file = read_yaml(path)
    content = file.content
    for override in overrides:
        content = with_value(content, *parse_override(override))
    planned = tuple(_planned(variant, file) for variant in variants(content))
    _check_sweep(planned, path)
    _check_claims(planned, file)
    return Specification(path.resolve(), file.text, tuple(overrides), planned)


def _planned(variant: Variant, file: YamlFile) -> Planned:
    where = f"{file.path}{f' with {variant.label}' if variant.label else ''}"
    experiment = validated(Experiment, variant.content, where=where, place=file.where)
    try:
        order = experiment.order()
    except SondeError as error:
        raise SondeError(f"{where}: {error.what}", fix=error.fix) from None
    base = file.path.resolve().parent
    return Planned(variant.label, experiment, order, base, dict(variant.changes))


def _check_sweep(planned: Sequence[Planned], path: Path) -> None:
    """Refuse a sweep over what all variants must share."""
    if len({variant.experiment.name for variant in planned}) > 1:
        raise SondeError(
            f"{path} sweeps over `name`, which names the folder of all its results.",
            fix="Sweep over another value; variants that differ never share a result.",
        )
    for key in ("purpose", "claims", "correction", "references"):
        if any(key == swept.split(".")[0] for swept in planned[0].changes):
            raise SondeError(
                f"{path} sweeps over `{key}`, which is the same for all variants.",
                fix="Claims speak of results, and those do not depend on it.",
            )


def _check_claims(planned: Sequence[Planned], file: YamlFile) -> None:
    """Refuse claims that the purpose forbids, or that speak of what is not there."""
    experiment = planned[0].experiment
    labels = [variant.label for variant in planned]
    alike = next((label for label in labels if labels.count(label) > 1), None)
    if experiment.claims and alike is not None:
        raise SondeError(
            f"{file.path} makes claims, and two variants of its sweep are both called {alike!r}.",
            fix="Sweep over values that differ in their first 40 characters.",
        )
    setting = Setting(experiment.stages, {one.label: one.changes for one in planned}, file.where)
    try:
        check_purpose(experiment.purpose, experiment.claims)
        check_claims(experiment.claims, tuple(experiment.references), setting)
    except SondeError as error:
        raise SondeError(f"{file.path}: {error.what}", fix=error.fix) from None
