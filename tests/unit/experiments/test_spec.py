import pytest

from sonde.core.errors import SondeError
from sonde.experiments.spec import read_specification


def refused(path, *overrides) -> str:
    with pytest.raises(SondeError) as error:
        read_specification(path, overrides)
    return str(error.value)


def test_a_file_is_read_and_ordered(experiment):
    spec = read_specification(experiment)
    assert spec.name == "small"
    assert spec.variants[0].order == ("sentences", "acts", "truth")
    assert spec.variants[0].model_of("acts").name == "random:llama"
    assert spec.variants[0].model_of("truth") is None


def test_a_wrong_key_is_named_with_its_line_and_the_nearest(experiment):
    experiment.write_text(experiment.read_text().replace("layers: [0, 1]", "layrs: [0, 1]"))
    said = refused(experiment)
    assert "stages.acts.layrs (line 11)" in said
    assert "Did you mean 'layers'?" in said
    assert str(experiment) in said


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("acts.data=sentence", ["stages.acts.data", "Did you mean 'sentences'"]),
        ("truth.activations=sentences", ["gives examples, not activations", "acts"]),
        ("acts.kind=extrakt", ["extrakt", "extract"]),
        ("seed=soon", ["seed", "soon"]),
        ("truth.method=logistik", ["logistik", "logistic"]),
        ("truth.when=tru.x > 1", ["tru", "not a stage"]),
        ("truth.when=whatever", ["not a comparison"]),
        ("acts.when=truth.n > 1", ["circle", "acts", "truth"]),
        ("name=../elsewhere", ["name"]),
        ("model=null", ["model"]),
        ("stages={}", ["stages", "at least one"]),
    ],
)
def test_what_does_not_fit_is_refused(experiment, override, parts):
    said = refused(experiment, override)
    for part in parts:
        assert part in said


def test_a_stage_cannot_take_the_name_of_a_key(experiment):
    experiment.write_text(experiment.read_text().replace("sentences:\n", "seed:\n", 1))
    assert "seed" in refused(experiment)


def test_a_key_given_twice_is_refused_with_both_lines(experiment):
    experiment.write_text(experiment.read_text() + "name: again\n")
    said = refused(experiment)
    assert "given twice, first in line 1" in said


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "", "\tname: x"])
def test_what_is_no_experiment_is_refused(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert str(path) in refused(path)


def test_a_missing_file_is_named(tmp_path):
    assert "nothing.yaml" in refused(tmp_path / "nothing.yaml")


def test_a_sweep_gives_variants_with_their_own_settings(experiment):
    spec = read_specification(experiment, ["sweep={acts.layers: [0, auto], seed: [0, 1]}"])
    assert len(spec.variants) == 4
    assert spec.variants[3].experiment.seed == 1
    assert spec.variants[3].experiment.stages["acts"].layers == "auto"


def test_a_sweep_over_the_name_is_refused(experiment):
    assert "sweeps over `name`" in refused(experiment, "sweep={name: [a, b]}")


def test_a_models_path_starts_at_the_file(experiment):
    spec = read_specification(experiment, ["model=./weights/model"])
    assert spec.variants[0].model_of("acts").name == str(experiment.parent / "weights/model")


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ("-1", "seed is -1, which is too low: write 0 or more."),
        ("9223372036854775808", "which is too high: write less than 9223372036854775808."),
        ("1.5", "which is no whole number"),
    ],
)
def test_a_seed_is_a_number_that_the_ledger_can_hold(experiment, seed, said):
    with pytest.raises(SondeError) as error:
        read_specification(experiment, [f"seed={seed}"])
    assert said in error.value.what
    read_specification(experiment, ["seed=9223372036854775807"])
