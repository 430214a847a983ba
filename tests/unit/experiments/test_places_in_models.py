from dataclasses import replace

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.hardware import named_hardware
from sonde.experiments.places import check_places
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification

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
    assert not (tmp_path / "ledger.sqlite").exists()  # no run was opened, of any variant


def test_what_was_done_is_taken_without_asking_the_model(experiment, tmp_path, monkeypatch):
    spec = read_specification(experiment, ["model={name: random:llama, check: false}"])
    options = Options(out=tmp_path, say=lambda _: None, progress=False)
    run(spec, options)

    def asked(spec):
        raise AssertionError("the configuration was read")

    monkeypatch.setattr("sonde.experiments.runner.check_places", asked)
    run(spec, options)
    with pytest.raises(AssertionError, match="was read"):
        run(spec, replace(options, force=("acts",)))


CLAIM = "{statement: s, kind: superiority, over: 0, by: 0, of: "


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["acts.layers=all"], "truth reads no layer 7"),
        ([], "truth reads no layer 7"),
        (["sweep={acts.layers: [all, [0]]}"], "reads no layer 7 with acts.layers=all"),
        (["acts.hooks=[blocks.1.attn_out]"], "truth reads no layer 7"),
    ],
)
def test_a_claim_about_a_layer_that_is_not_read_is_refused(experiment, tmp_path, overrides, said):
    claim = f"claims.deep={CLAIM}truth.blocks.7.resid_post}}"
    spec = read_specification(experiment, [*overrides, claim])
    found = plan(spec, tmp_path, named_hardware("h100"))
    (problem, *_) = found[0].problems
    assert problem.startswith("claims.deep is about truth.blocks.7.resid_post, and ")
    assert said in problem
    assert "counted from 0" in problem
    with pytest.raises(SondeError, match=r"claims\.deep is about"):
        run(spec, Options(out=tmp_path, say=lambda _: None))


def test_claims_about_layers_that_are_read_or_not_known_pass(experiment):
    claim = f"claims.deep={CLAIM}truth.blocks.1.resid_post}}"
    stated = "references={truth.blocks.0.resid_post: {value: 1, tolerance: 1}}"
    check_places(read_specification(experiment, [claim, stated, "sweep={acts.layers: [all, 0:2]}"]))
    unknown = f"claims.deep={CLAIM}truth.blocks.70.resid_post}}"
    check_places(read_specification(experiment, [unknown, "model=lab/absent"]))
    check_places(
        read_specification(experiment, [unknown, "stages.acts={kind: import, path: x.npz}"])
    )
