import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.experiments.variants import parse_override, variants, with_value

CONTENT = {
    "name": "x",
    "model": "random:llama",
    "stages": {"acts": {"kind": "extract", "layers": [0, 1]}, "truth": {"kind": "probe"}},
}


def test_a_value_is_changed_and_the_original_is_not():
    changed = with_value(CONTENT, "stages.acts.layers", "auto")
    assert changed["stages"]["acts"]["layers"] == "auto"
    assert CONTENT["stages"]["acts"]["layers"] == [0, 1]


def test_a_path_may_start_at_a_stage():
    assert with_value(CONTENT, "acts.layers", "all") == with_value(
        CONTENT, "stages.acts.layers", "all"
    )


def test_a_number_indexes_a_list():
    assert with_value(CONTENT, "acts.layers.1", 7)["stages"]["acts"]["layers"] == [0, 7]


def test_short_forms_open_up():
    assert with_value(CONTENT, "model.seed", 3)["model"] == {"name": "random:llama", "seed": 3}
    short = with_value(CONTENT, "truth.method", "ridge")
    opened = with_value(short, "truth.method.folds", 4)
    assert opened["stages"]["truth"]["method"] == {"kind": "ridge", "folds": 4}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("act.layers", "Did you mean 'acts'"),
        ("stages.act.layers", "Did you mean 'acts'"),
        ("modl.name", "Did you mean 'model'"),
        ("acts.layers.5", "not an entry of a list of 2"),
        ("acts.kind.x", "has no parts"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path, said):
    with pytest.raises(SondeError, match=said):
        with_value(CONTENT, path, 1)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=3", "seed", 3),
        ("acts.layers=[1, 2]", "acts.layers", [1, 2]),
        ("acts.layers=auto", "acts.layers", "auto"),
        ("a.b=x=y", "a.b", "x=y"),
        ("a=null", "a", None),
    ],
)
def test_an_override_is_a_path_and_a_yaml_value(text, path, value):
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize("text", ["seed", "=3", "a=[1"])
def test_an_override_that_cannot_be_read_is_refused(text):
    with pytest.raises(SondeError):
        parse_override(text)


def test_a_sweep_is_the_product_in_the_order_of_the_file():
    content = {**CONTENT, "sweep": {"acts.layers": ["all", "auto"], "seed": [0, 1]}}
    found = variants(content)
    assert [one.label for one in found] == [
        "acts.layers=all, seed=0",
        "acts.layers=all, seed=1",
        "acts.layers=auto, seed=0",
        "acts.layers=auto, seed=1",
    ]
    assert found[3].content["stages"]["acts"]["layers"] == "auto"
    assert found[3].content["seed"] == 1
    assert "sweep" not in found[0].content


def test_without_a_sweep_there_is_one_unnamed_variant():
    assert [one.label for one in variants(CONTENT)] == [""]


@pytest.mark.parametrize("sweep", [{"seed": 3}, {"seed": []}, [1]])
def test_a_sweep_that_is_no_list_is_refused(sweep):
    with pytest.raises(SondeError, match="sweep"):
        variants({**CONTENT, "sweep": sweep})


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_a_sweep_has_as_many_variants_as_the_product(sizes):
    sweep = {f"stages.acts.key{axis}": list(range(size)) for axis, size in enumerate(sizes)}
    found = variants({**CONTENT, "sweep": sweep})
    expected = 1
    for size in sizes:
        expected *= size
    assert len(found) == len({one.label for one in found}) == expected
