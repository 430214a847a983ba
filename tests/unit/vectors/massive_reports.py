"""A report of massive dimensions as a measurement gives it, without a model."""

from tests.planted import ORIGIN

from sonde.activations.massive_report import (
    LayerNorms,
    MassiveDimension,
    MassiveDimensions,
    MassiveSettings,
)


def massive_report(ratios=(), layers=(0, 1), typical_norm=10.0, origin=ORIGIN):
    """``ratios`` maps a coordinate to its ratio at every layer."""
    return MassiveDimensions(
        origin=origin,
        settings=MassiveSettings(),
        layers=layers,
        n_tokens=1000,
        n_sinks=10,
        dimensions=tuple(
            MassiveDimension(
                dimension=dimension,
                ratios=(ratio,) * len(layers),
                layers=layers,
                severe=ratio >= 100,
                peak_layer=layers[0],
                at_first=None,
                at_early=None,
                at_later=None,
                largest=(),
            )
            for dimension, ratio in sorted(dict(ratios).items(), key=lambda one: -one[1])
        ),
        norms=tuple(
            LayerNorms(
                layer=layer,
                full_norm=100.0,
                typical_norm=typical_norm,
                median_magnitude=1.0,
                sink_ratio=None,
            )
            for layer in layers
        ),
        sinks=(),
    )
