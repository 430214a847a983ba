from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.experiments.trackers.naming import (
    LONGEST,
    TEMPLATE,
    check_template,
    file_name,
    run_name,
    short_model,
    short_variant,
)


def test_a_name_says_what_the_run_is(facts):
    assert run_name(TEMPLATE, facts) == "probe-layers5-ctx256-gemma-3-270m"
    assert run_name("{model}/{name} {run}", facts) == "gemma-3-270m/probe 7"


@pytest.mark.parametrize(
    ("variant", "model", "name"),
    [("", "tiny", "probe-tiny"), ("seed1", "", "probe-seed1"), ("", "", "probe")],
)
def test_an_empty_part_goes_with_its_separator(facts, variant, model, name):
    assert run_name(TEMPLATE, replace(facts, variant=variant, model=model)) == name


def test_a_name_is_never_too_long_or_empty(facts):
    long = replace(facts, variant="x" * 500)
    assert len(run_name(TEMPLATE, long)) == LONGEST
    assert run_name("{variant}", replace(facts, variant="")) == "probe"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{nam}", "Did you mean 'name'"),
        ("{name.__class__}", "is not a part"),
        ("{name!r}", "is not a part"),
        ("{0}", "is not a part"),
        ("{name", "expected '}'"),
        (" ", "is empty"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template, said):
    with pytest.raises(ValueError, match=said):
        check_template(template)


def test_swept_values_in_short():
    assert short_variant({"acts.layers": 5, "seed": 1}) == "layers5-seed1"
    assert short_variant({"acts.positions": "prompt[-1]"}) == "positions-prompt[-1]"
    assert short_variant({"acts.layers": [0, 1]}) == "layers-[0,_1]"
    assert short_variant({}) == ""


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("google/gemma-3-270m", "gemma-3-270m"),
        ("smollm2-135m-instruct", "smollm2-135m-instruct"),
        ("random:llama", "random-llama"),
        ("random:/models/tiny/config.json", "random-config"),
        ("/models/some.gguf", "some"),
    ],
)
def test_a_model_in_short(name, short):
    assert short_model(name) == short


@given(st.text(max_size=40))
def test_a_file_name_is_one_part_of_a_path(text):
    name = file_name(text)
    assert name
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith(".")
