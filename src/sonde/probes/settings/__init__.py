"""Settings of probes, one class a kind; a kind is chosen by its tag in the experiment file."""

from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from sonde.probes.settings.base import PenaltySettings, Says, SweepSettings, UnpenalisedSettings
from sonde.probes.settings.logistic import LogisticSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings
from sonde.probes.settings.ridge import RidgeSettings

__all__ = [
    "SETTINGS",
    "AnyProbeSettings",
    "LogisticSettings",
    "MeanDifferenceSettings",
    "PenaltySettings",
    "ProbeSettings",
    "RidgeSettings",
    "Says",
    "SweepSettings",
    "UnpenalisedSettings",
]

AnyProbeSettings: TypeAlias = (
    RidgeSettings  # numbers, one target or several
    | LogisticSettings  # two classes
    | MeanDifferenceSettings  # two classes, nothing to tune
)

ProbeSettings = Annotated[AnyProbeSettings, Field(discriminator="kind")]

SETTINGS: dict[str, type[AnyProbeSettings]] = {
    settings.model_fields["kind"].default: settings for settings in get_args(AnyProbeSettings)
}
