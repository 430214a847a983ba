import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.experiments.gates import judge, parse_gate, stages_in

SUMMARIES = {
    "truth": {
        "selected": {"low": 0.7, "value": 0.8, "high": None},
        "layers": {"blocks.3.resid_post": {"value": 0.9}},
        "metric": "auroc",
    },
    "data": {"n": 120},
}


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("truth.selected.low > 0.6", True),
        ("truth.selected.low > 0.7", False),
        ("truth.selected.low >= 0.7", True),
        ("truth.selected.low<.6 or data.n == 120", True),
        ("truth.selected.low < 0.6 and data.n == 120", False),
        ("(truth.selected.low < 0.6 or data.n != 1) and data.n <= 1.2e2", True),
        # `and` binds closer than `or`: true or (true and false).
        ("data.n > 1 or data.n > 1 and data.n > 1000", True),
        ("(data.n > 1 or data.n > 1) and data.n > 1000", False),
        ("truth.layers.blocks.3.resid_post.value > 0.85", True),
        ("data.n > -3", True),
    ],
)
def test_a_gate_compares_earlier_results(text, opens):
    assert judge(parse_gate(text), SUMMARIES).open is opens


def test_a_verdict_names_the_numbers_behind_it():
    assert judge(parse_gate("data.n > 200"), SUMMARIES).why == (
        "data.n > 200 does not hold (it is 120)"
    )


def test_a_value_that_is_not_a_number_closes_the_gate():
    verdict = judge(parse_gate("truth.selected.high > 0"), SUMMARIES)
    assert not verdict.open
    assert "not a number" in verdict.why


def test_the_stages_of_a_gate_are_named_once():
    assert stages_in(parse_gate("a.x > 1 and (b.x > 1 or a.y < 2)")) == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "truth > 1",
        "truth.low",
        "truth.low > ",
        "truth.low > x.y",
        "(truth.low > 1",
        "truth.low > 1 truth.low > 2",
        "truth.low > 1 and",
        "__import__('os').system('x') > 1",
        "truth.low > 1; 2",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(SondeError, match="gate"):
        parse_gate(text)


def test_an_unknown_path_names_the_nearest():
    with pytest.raises(SondeError, match=r"Did you mean 'selected\.low'"):
        judge(parse_gate("truth.selected.lo > 1"), SUMMARIES)


def test_a_word_cannot_be_compared():
    with pytest.raises(SondeError, match="not a number but 'auroc'"):
        judge(parse_gate("truth.metric > 1"), SUMMARIES)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_gates_agree_with_python(value, number):
    summaries = {"a": {"x": value}}
    for sign, truth in ((">", value > number), ("<=", value <= number), ("==", value == number)):
        assert judge(parse_gate(f"a.x {sign} {number!r}"), summaries).open is truth
