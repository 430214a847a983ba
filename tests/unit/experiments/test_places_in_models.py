import pytest

from sonde.core.errors import SondeError
from sonde.experiments.places import check_places
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger

BAD = "layer 9 is outside the model, which has 3 blocks"


@pytest.mark.parametrize(
    "override",
    [
        "acts.layers=9",
        "acts.hooks=[blocks.9.attn_out]",
        "stages.means={kind: moments, data: sentences, layers: [0, 9]}",
        "stages.massive={kind: massive_dimensions, data: sentences, layers: [9]}",
    ],
)
def test_a_layer_outside_the_model_is_found_from_its_configuration(experiment, override):
    with pytest.raises(SondeError, match=rf"stages\.(acts|means|massive): {BAD}"):
        check_places(read_specification(experiment, [override]))


def test_the_variant_is_named(experiment):
    spec = read_specification(experiment, ["sweep={acts.layers: [0, 9]}"])
    with pytest.raises(SondeError, match=rf"stages\.acts with acts\.layers=9: {BAD}"):
        check_places(spec)


def test_stored_activations_and_other_models_are_not_held_against_this_one(experiment):
    stored = "stages.means={kind: moments, data: sentences, activations: acts, layers: [9]}"
    own = "acts.model=random:gemma-2-2b"
    check_places(read_specification(experiment, [stored]))
    check_places(read_specification(experiment, [own, "acts.layers=9"]))


def test_a_model_that_is_not_at_hand_is_left_to_the_loading(experiment):
    check_places(read_specification(experiment, ["model=lab/absent", "acts.layers=99"]))


def test_a_run_refuses_before_it_loads_a_model(experiment, tmp_path, monkeypatch):
    def loading(*_, **__):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("sonde.models.loading.load", loading)
    spec = read_specification(experiment, ["sweep={acts.layers: [0, 9]}"])
    with pytest.raises(SondeError, match=BAD):
        run(spec, Options(out=tmp_path, say=lambda _: None))
    (row,) = Ledger.open(tmp_path / "ledger.sqlite").list()
    assert row.state == "failed"
    assert BAD in row.reason
