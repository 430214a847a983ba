from dataclasses import replace

import numpy as np
import pytest
import torch

from planted import activations, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes.names import WEIGHTS

QUICK = {"resamples": 50, "shuffles": 1, "directions": 1}


def untrained(acts, seed=9, **rows):
    """Activations of the same rows that say nothing, of other weights."""
    rng = np.random.default_rng(seed)
    shape = acts.tensor(acts.hooks[0]).shape
    made = activations([rng.normal(size=shape) for _ in acts.hooks], **rows)
    return type(made)(
        made.tensors, made.rows, made.origin.model_copy(update={"model_fingerprint": "beef" * 4})
    )


def shuffled_rows(acts, order):
    rows = acts.rows
    columns = {name: getattr(rows, name)[order] for name in type(rows).__dataclass_fields__}
    tensors = {hook: acts.tensor(hook)[torch.from_numpy(order)] for hook in acts.hooks}
    return type(acts)(tensors, type(rows)(**columns), acts.origin)


def test_the_control_is_the_same_probe_on_the_other_activations():
    acts, label, _ = planted_classes(n=80, strength=4.0)
    other = untrained(acts)
    found = probes.logistic(acts, label, random_weights=other, **QUICK)
    alone = probes.logistic(other, label, **QUICK)
    for layer, peer in zip(found.layers, alone.layers, strict=True):
        assert layer.controls[WEIGHTS].score.value == pytest.approx(peer.score.value, abs=1e-6)
    chosen = found.selection.controls[WEIGHTS].score
    assert chosen.value == pytest.approx(alone.selected.value, abs=1e-6)
    assert found.selected.low > chosen.high
    assert WEIGHTS not in probes.logistic(acts, label, **QUICK).layers[0].controls


def test_rows_are_matched_by_example_and_not_by_place():
    acts, label, _ = planted_classes(n=40)
    other = untrained(acts)
    order = np.random.default_rng(0).permutation(40)
    one, two = (
        probes.mean_difference(acts, label, random_weights=given, **QUICK)
        for given in (other, shuffled_rows(other, order))
    )
    for layer, peer in zip(one.layers, two.layers, strict=True):
        assert layer.controls[WEIGHTS].score == peer.controls[WEIGHTS].score


def test_what_does_not_match_is_refused():
    acts, label, _ = planted_classes(n=40)
    other = untrained(acts)
    names = [f"other {row}" for row in range(40)]
    fewer = type(other)({acts.hooks[0]: other.tensor(acts.hooks[0])}, other.rows, other.origin)
    ids = replace(other.rows, token_id=np.arange(40, dtype=np.int32))
    retokenised = type(other)(other.tensors, ids, other.origin)
    for given, message in [
        (acts, "the same weights"),
        (fewer, r"no blocks.1.resid_post \(1 of 2 hook points"),
        (untrained(acts, examples=names), "40 of 40 labelled rows have no partner"),
        (untrained(acts, positions=["user[-1]"] * 40), "such as prompt.-1. of '0'"),
        (retokenised, "do not share a tokenizer"),
    ]:
        with pytest.raises(SondeError, match=message):
            probes.mean_difference(acts, label, random_weights=given, **QUICK)


def test_a_place_where_random_weights_say_nothing_is_noted():
    acts, label, _ = planted_classes(n=40)
    other = untrained(acts)
    other.tensors[acts.hooks[0]][:] = 3.0
    found = probes.mean_difference(acts, label, random_weights=other, **QUICK)
    assert WEIGHTS not in found.layers[0].controls
    assert WEIGHTS in found.layers[1].controls
    assert WEIGHTS in found.selection.controls
    assert any(
        "no control on random weights of blocks.0.resid_post at prompt[-1]" in note
        and "the same in every row" in note
        for note in found.warnings
    )
