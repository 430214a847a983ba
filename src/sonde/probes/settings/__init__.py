"""Settings of probes, one class a kind; a kind is chosen by its tag in the experiment file."""

from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from sonde.probes.settings.base import PenaltySettings, Says, SweepSettings, UnpenalisedSettings
from sonde.probes.settings.bradley_terry import BradleyTerrySettings
from sonde.probes.settings.discriminants import LdaSettings, MassMeanSettings, PcaSettings
from sonde.probes.settings.logistic import LogisticSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings
from sonde.probes.settings.multinomial import MultinomialSettings
from sonde.probes.settings.networks import AttentionSettings, MlpSettings, MultiTokenSettings
from sonde.probes.settings.ridge import RidgeSettings

__all__ = [
    "SETTINGS",
    "AnyProbeSettings",
    "AttentionSettings",
    "BradleyTerrySettings",
    "LdaSettings",
    "LogisticSettings",
    "MassMeanSettings",
    "MeanDifferenceSettings",
    "MlpSettings",
    "MultiTokenSettings",
    "MultinomialSettings",
    "PcaSettings",
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
    | MultinomialSettings  # two classes or more
    | BradleyTerrySettings  # comparisons of items
    | MeanDifferenceSettings  # two classes, nothing to tune
    | MassMeanSettings  # the same through the inverse covariance
    | LdaSettings  # the same as log-odds
    | PcaSettings  # the direction of most variance, signed by the labels
    | MlpSettings  # classes or numbers, one hidden layer
    | AttentionSettings  # classes or numbers, attention over an example's tokens
    | MultiTokenSettings  # classes or numbers, pooled over an example's tokens
)

ProbeSettings = Annotated[AnyProbeSettings, Field(discriminator="kind")]

SETTINGS: dict[str, type[AnyProbeSettings]] = {
    settings.model_fields["kind"].default: settings for settings in get_args(AnyProbeSettings)
}
