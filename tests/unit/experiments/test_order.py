import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.experiments.order import ordered


def test_inputs_come_first_else_the_order_of_the_file():
    assert ordered({"c": ["a"], "a": [], "b": []}, {}) == ("a", "c", "b")


def test_stages_of_one_model_follow_each_other():
    needs = {"d": [], "x": ["d"], "fit": ["x"], "y": ["d"], "z": ["d"]}
    models = {"x": "small", "y": "large", "z": "small"}
    assert ordered(needs, models) == ("d", "x", "z", "fit", "y")


def test_what_leads_to_the_loaded_model_comes_before_other_work():
    needs = {"d": [], "x": ["d"], "fit": ["x"], "e": [], "y": ["e"]}
    assert ordered(needs, {"x": "m", "y": "m"}) == ("d", "x", "e", "y", "fit")


def test_a_circle_is_named():
    with pytest.raises(SondeError, match=r"a → b → a|b → a → b"):
        ordered({"start": [], "a": ["b"], "b": ["a"]}, {})


@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_every_stage_comes_once_and_after_its_needs(size, random):
    needs = {
        str(number): [str(other) for other in range(number) if random.random() < 0.4]
        for number in range(size)
    }
    shuffled = dict(random.sample(list(needs.items()), size))
    models = {name: random.choice("ab") for name in needs if random.random() < 0.5}
    order = ordered(shuffled, models)
    assert sorted(order) == sorted(needs)
    for name, wanted in needs.items():
        assert all(order.index(other) < order.index(name) for other in wanted)
