"""Two sweeps side by side: layers paired by depth, differences paired by unit."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from planted import planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes.beside import side_by_side
from sonde.stats.effects import difference


@cache
def swept(layers, *, n_layers=0, seed=0, strength=2.0, n=80, data="", **settings):
    acts, label, _ = planted_classes(layers=layers, n=n, seed=seed, strength=strength)
    known = {"n_layers": n_layers, "data_fingerprint": data}
    acts = replace(acts, origin=acts.origin.model_copy(update=known))
    quick = {"penalties": (10.0,), "folds": 3, "resamples": 50, "shuffles": 0, "directions": 0}
    return probes.logistic(acts, label, **quick, **settings)


def test_layers_are_paired_by_depth():
    """Layers 0, 1, 2 of 3 lie at 0, 1/3, 2/3; of 6, at 0, 1/6, 1/3: so 0-0, 1-2, 2-2."""
    found = side_by_side(swept(3, n_layers=3), swept(3, n_layers=6, seed=1))
    assert [(at.first.hook.layer, at.second.hook.layer) for at in found.layers] == [
        (0, 0), (1, 2), (2, 2),
    ]  # fmt: skip
    assert [at.depth for at in found.layers] == pytest.approx([0, 1 / 3, 2 / 3])


def test_the_difference_is_paired_and_that_of_the_scores():
    strong, weak = swept(2, strength=4.0), swept(2, strength=0.5)
    found = side_by_side(strong, weak)
    assert (found.shared, found.equal, found.selected.design) == (80, True, "paired")
    for at, one, other in zip(found.layers, strong.layers, weak.layers, strict=True):
        assert at.difference.interval.value == pytest.approx(one.score.value - other.score.value)
        again = difference(
            one.scored.scores("auroc"), other.scored.scores("auroc"), strong.settings.bootstrap
        )
        assert at.difference.interval == again.interval
        assert np.isnan(at.depth)
    back = side_by_side(weak, strong)
    assert back.selected.interval.value == pytest.approx(-found.selected.interval.value)


def test_units_of_one_side_alone_are_counted():
    found = side_by_side(swept(2), swept(2, n=60))
    assert (found.shared, len(found.only_first), found.only_second) == (60, 20, ())
    assert not found.equal
    assert found.selected.design == "partly paired"


def test_what_cannot_be_compared():
    with pytest.raises(SondeError, match="scored by auroc, the other by accuracy"):
        side_by_side(swept(2), swept(2, metric="accuracy"))
    with pytest.raises(SondeError, match="No layer of one model has a partner"):
        side_by_side(swept(2), swept(3))


def test_numbered_units_of_other_data_are_not_paired():
    one, other = (swept(2, seed=seed, data=f"data{seed}") for seed in (0, 1))
    found = side_by_side(one, other)
    assert (found.shared, found.selected.design) == (0, "unpaired")
    assert side_by_side(one, swept(2, seed=2, data="data0")).selected.design == "paired"


def test_two_sweeps_are_printed_in_short():
    found = side_by_side(swept(2), swept(2, n=60))
    lines = str(found).splitlines()
    assert "60 units shared (20 of the first alone, 0 of the second)" in lines[0]
    assert lines[1].startswith("  blocks.0.resid_post and blocks.0.resid_post ")
    assert lines[-1] == f"  selected: {found.selected.interval} partly paired"
    assert len(lines) == 4
