"""``layers`` and ``gate`` of a search: what is read from them, and what is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError
from tests.unit.vectors.made_vectors import made

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.steer import SteerStage
from sonde.experiments.stages.steer_gate import GateSettings, check_gate_settings
from sonde.experiments.stages.steer_layers import SteeredLayers, blocks_of, entries_of
from sonde.experiments.stages.steer_vectors import chosen_vectors
from sonde.vectors import VectorSet

LAYERS = TypeAdapter(SteeredLayers)
KIND = ["mean_difference"]


def test_entries_by_hand():
    read = LAYERS.validate_python([15, [18, 12, 15], [3]])
    assert read == (15, (12, 15, 18), 3)
    assert entries_of(read) == ((15,), (12, 15, 18), (3,))
    assert blocks_of(read) == (15, 12, 18, 3)
    assert entries_of(LAYERS.validate_python("best")) == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no block is named"),
        ([1, []], "an entry is empty"),
        ([[2, 1, 2]], "an entry names a block twice: 2, 1, 2"),
        ([[1, 2], [2, 1]], "1, 2 is named twice"),
        ([1, [1]], "1 is named twice"),
        (["first"], "layers|int"),
    ],
)
def test_entries_that_say_nothing_or_say_it_twice(given, words):
    with pytest.raises(ValidationError, match=words):
        SteerStage.model_validate({"vectors": "v", "trait": "lively", "layers": given})


def test_what_an_entry_takes_of_a_set():
    sites = (Site.RESID_POST, Site.MLP_OUT)
    found = VectorSet(
        tuple(made(hook=HookPoint(layer, site)) for layer in (0, 1, 2) for site in sites)
    )
    taken = chosen_vectors(found, KIND, (), (1, (0, 2)))
    assert [[str(hook) for hook in one.hooks] for one in taken] == [
        ["blocks.1.resid_post"],
        ["blocks.1.mlp_out"],
        ["blocks.0.resid_post", "blocks.2.resid_post"],
        ["blocks.0.mlp_out", "blocks.2.mlp_out"],
    ]
    best = VectorSet((made(layer=0), made(layer=1)))
    assert [one.hooks for one in chosen_vectors(best, KIND, (), (1,))] == [(made().hook,)]


def test_a_block_without_vectors_is_named():
    two = VectorSet((made(layer=0), made(layer=1)))
    for layers in ((1, 2), (0, (1, 2))):
        with pytest.raises(SondeError, match="`layers` names 2, and there are vectors of 0, 1"):
            chosen_vectors(two, KIND, (), layers)
    uneven = VectorSet((made(layer=0), made(layer=1), made(hook=HookPoint(1, Site.MLP_OUT))))
    with pytest.raises(SondeError, match=r"blocks 0, 1 at once, and of mlp_out .* at 1 alone"):
        chosen_vectors(uneven, KIND, (), ((0, 1),))


@pytest.mark.parametrize(
    ("method", "gate", "words"),
    [
        ("mlp", {}, "whose kind is mlp: .* only linear probes"),
        ("attention", {}, "whose kind is attention"),
        ("multinomial", {}, "it says a number for each class"),
        ("ridge", {"chance": 0.5}, r"truth \(ridge\) says no probability"),
        ("logistic", {"at": 2}, "is block 2, and block 1 is steered before"),
    ],
)
def test_what_cannot_be_a_gate_is_refused_by_the_settings(method, gate, words):
    stages = {"truth": ProbeStage(activations="acts", labels="data", method=method)}
    with pytest.raises(SondeError, match=words):
        check_gate_settings(GateSettings(probe="truth", **gate), ((3,), (1, 2)), stages)
    fine = {"truth": ProbeStage(activations="acts", labels="data")}
    check_gate_settings(GateSettings(probe="truth", at=1, chance=0.5), ((3,), (1, 2)), fine)
    check_gate_settings(GateSettings(probe="truth", at=9), (), fine)  # `best`: left to the run


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"above": 0.0, "chance": 0.5}, "`above` or `chance`, not both"),
        ({"chance": 1.0}, "less than 1"),
        ({"at": -1}, "greater than or equal to 0"),
    ],
)
def test_a_gate_that_cannot_be_read(given, words):
    with pytest.raises(ValidationError, match=words):
        GateSettings(probe="truth", **given)
