import numpy as np
import pytest

from planted import activations, as_examples
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.probes import bradley_terry, mlp
from sonde.probes.targets import category_targets, class_targets, number_targets

ACTS = activations([np.random.default_rng(0).normal(size=(4, 3))], examples=["a", "b", "c", "d"])


def test_the_second_class_in_order_is_positive():
    targets = class_targets(ACTS, {"a": "good", "b": "bad", "c": "good", "d": "bad"}, None)
    assert targets.labels == ("bad", "good")
    assert targets.values[:, 0].tolist() == [1, 0, 1, 0]


def test_positive_names_the_other():
    labels = {"a": "good", "b": "bad", "c": "good", "d": "bad"}
    assert class_targets(ACTS, labels, "bad").labels == ("good", "bad")
    with pytest.raises(SondeError, match="Did you mean 'good'"):
        class_targets(ACTS, labels, "goood")


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], [False, True, True, False], [0.0, 1.0, 1.0, 0.0]])
def test_zeros_and_ones_are_classes(labels):
    targets = class_targets(ACTS, np.array(labels), None)
    assert targets.labels == ("0", "1")
    assert targets.values[:, 0].tolist() == [0, 1, 1, 0]


def test_rows_of_one_example_share_a_unit_and_groups_join_examples():
    acts = activations(
        [np.zeros((4, 2))], examples=["a", "a", "b", "c"], groups=["", "", "pair", "pair"]
    )
    targets = class_targets(acts, {"a": "x", "b": "y", "c": "x"}, None)
    assert targets.unit.tolist() == ["a", "a", "pair", "pair"]


def test_groups_of_the_examples_come_first():
    examples = [Example(id=name, prompt="p", label=name > "b", group="all") for name in "abcd"]
    assert set(class_targets(ACTS, examples, None).unit) == {"all"}


def test_what_does_not_join_is_reported():
    targets = number_targets(ACTS, {"a": 1.0, "b": 2.0, "c": float("nan"), "z": 3.0})
    assert targets.example.tolist() == ["a", "b"]
    assert "2 of 4 labels joined" in targets.notes[0]
    assert "The label of example 'c' is NaN" in targets.notes[1]


def test_nan_in_an_array_names_the_example():
    targets = number_targets(ACTS, np.array([1.0, np.nan, 2.0, 3.0]))
    assert targets.index.tolist() == [0, 2, 3]
    assert any("'b' is NaN" in note for note in targets.notes)


def test_labels_given_row_by_row_are_counted_by_row():
    acts = activations([np.zeros((4, 2))], examples=["a", "a", "b", "c"], tokens=[3, 7, 1, 1])
    report = number_targets(acts, np.array([1.0, np.nan, 2.0, np.nan])).report
    assert (report.labels, report.activations, report.matched) == (4, 4, 2)
    assert report.labels_lost == {"NaN label": ("a, prompt[-1], token 7", "c")}
    assert str(report) == "2 of 4 labels joined; 2 are NaN."


def test_two_texts_become_numbers_with_a_note():
    targets = number_targets(ACTS, np.array(["lo", "hi", "hi", "lo"]))
    assert targets.values[:, 0].tolist() == [1, 0, 0, 1]
    assert targets.labels == ("hi", "lo")
    assert "'hi' was fitted as 0 and 'lo' as 1." in targets.notes


@pytest.mark.parametrize(
    ("make", "labels", "message"),
    [
        (class_targets, ["x", "x", "x", "x"], "1 class .'x'.; this probe separates two"),
        (class_targets, ["x", "y", "z", "x"], "3 classes .'x', 'y', 'z'."),
        (number_targets, [2.0, 2.0, 2.0, 2.0], "All 4 labels are 2: there is nothing to predict"),
        (number_targets, ["x", "y", "z", "x"], "labels are text, such as 'x'"),
        (number_targets, [1.0, np.inf, 2.0, 3.0], "label of example 'b' is infinite"),
        (number_targets, [1.0, 2.0], "shape .2,.; the activations have 4 rows"),
        (number_targets, [np.nan] * 4, "Every label is NaN"),
    ],
)
def test_bad_labels_are_named(make, labels, message):
    given = (None,) if make is class_targets else ()
    with pytest.raises(SondeError, match=message):
        make(ACTS, np.array(labels), *given)


def test_a_plain_list_is_one_label_a_row():
    assert number_targets(ACTS, [1.0, 2.0, 3.0, 4.0]).values[:, 0].tolist() == [1, 2, 3, 4]


def test_labels_that_join_nothing_show_both_kinds_of_id():
    with pytest.raises(SondeError, match="ids such as 'row-1'"):
        number_targets(ACTS, {"row-1": 1.0, "row-2": 2.0})


def test_the_fingerprint_changes_with_a_label():
    one, other = (
        number_targets(ACTS, np.array([1.0, 2.0, 3.0, last])).fingerprint for last in (4.0, 5.0)
    )
    assert one != other


def test_texts_come_from_examples():
    targets = class_targets(ACTS, as_examples(ACTS, np.array([0, 1, 0, 1])), None)
    assert targets.texts["b"].startswith("text 1")


def test_a_network_of_numbers_refuses_text_in_its_own_name():
    acts = activations([np.random.default_rng(0).normal(size=(30, 4))])
    labels = np.array(["low", "middle", "high"])[np.arange(len(acts.rows)) % 3]
    with pytest.raises(SondeError, match="This probe fits numbers; the labels are text, such as"):
        mlp(acts, labels, metric="r2")


def test_an_empty_list_of_comparisons_is_said_to_be_empty():
    acts = activations([np.random.default_rng(0).normal(size=(30, 4))])
    for none in ([], ()):
        with pytest.raises(SondeError, match=r"There are no comparisons\."):
            bradley_terry(acts, none)
    with pytest.raises(SondeError, match="none are given"):
        bradley_terry(acts, [Example("e0", "a text")])


def test_one_text_is_no_number_and_an_infinite_number_no_class():
    acts = activations([np.eye(3)])
    with pytest.raises(SondeError, match="All 3 labels are 'a': there is nothing to predict"):
        number_targets(acts, ["a", "a", "a"])
    with pytest.raises(SondeError, match="1 of 3 labels are infinite, which names no class"):
        category_targets(acts, [0.0, 1.0, float("inf")])
