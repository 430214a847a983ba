"""A function for each kind of probe: ``ridge(acts, y, penalties=(1, 10))`` and so on."""

from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from sonde.activations.activations import Activations
from sonde.core.base import validated
from sonde.probes.fitting import fit
from sonde.probes.results import ProbeResults
from sonde.probes.settings import (
    AttentionSettings,
    BradleyTerrySettings,
    LdaSettings,
    LogisticSettings,
    MassMeanSettings,
    MeanDifferenceSettings,
    MlpSettings,
    MultinomialSettings,
    MultiTokenSettings,
    PcaSettings,
    RidgeSettings,
    SweepSettings,
)
from sonde.probes.targets import Given

Settings_contra = TypeVar("Settings_contra", bound=SweepSettings, contravariant=True)

_SHARED = """
Fitted at every hook point and position, scored out of fold. Settings are given as an object, or
single ones as keywords, such as ``folds=10``; the other arguments and what is raised are those of
``fit``.
"""


@runtime_checkable
class FitKind(Protocol, Generic[Settings_contra]):
    """Fits one kind of probe."""

    __name__: str

    def __call__(
        self,
        acts: Activations,
        y: Given,
        settings: Settings_contra | None = None,
        *,
        random_weights: Activations | None = None,
        comparisons: Any = None,
        **given: Any,
    ) -> ProbeResults:
        """Fit at every hook point and position."""
        ...


def _of(kind: type[Settings_contra]) -> FitKind[Settings_contra]:
    """Make the function that fits the kind with these settings."""

    def fit_kind(
        acts: Activations,
        y: Given,
        settings: Settings_contra | None = None,
        *,
        random_weights: Activations | None = None,
        comparisons: Any = None,
        **given: Any,
    ) -> ProbeResults:
        base = settings.model_dump() if settings is not None else {}
        chosen: Any = validated(kind, {**base, **given}, where="The probe's settings")
        return fit(acts, y, chosen, random_weights=random_weights, comparisons=comparisons)

    fit_kind.__name__ = fit_kind.__qualname__ = kind.model_fields["kind"].default
    fit_kind.__doc__ = f"{kind.__doc__}{_SHARED}"
    return fit_kind


ridge = _of(RidgeSettings)
logistic = _of(LogisticSettings)
multinomial = _of(MultinomialSettings)
bradley_terry = _of(BradleyTerrySettings)
mean_difference = _of(MeanDifferenceSettings)
mass_mean = _of(MassMeanSettings)
lda = _of(LdaSettings)
pca = _of(PcaSettings)
mlp = _of(MlpSettings)
attention = _of(AttentionSettings)
multi_token = _of(MultiTokenSettings)
