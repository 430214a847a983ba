"""Vectors that are steered together: what they are, and how far a dtype lets them go."""

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import integers, lists
from tests.unit.vectors.made_vectors import made

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.steering.arms import ArmRow, SteeredBy, blocks_in_words
from sonde.steering.candidates import Arm, Candidate, How
from sonde.steering.controls import joint_control
from sonde.steering.joint import JointVectors
from sonde.steering.units import check_coefficient, largest_coefficient

PLACE = "mean_difference@response[:5].mean@blocks"
TWO = (made(layer=3, typical_norm=20.0), made(layer=1))


def test_vectors_together_by_hand():
    joint = JointVectors.of(TWO)
    assert [str(hook) for hook in joint.hooks] == ["blocks.1.resid_post", "blocks.3.resid_post"]
    assert joint.name == f"{PLACE}.1,3.resid_post"
    early, late = Candidate.of(joint, 0.5, How()).edits()
    assert (early.hook.layer, early.scale) == (1, 5.0)  # each in its own layer's unit
    assert (late.hook.layer, late.scale) == (3, 10.0)
    row = ArmRow.of(Arm(Candidate.of(joint, 0.5, How())))
    assert row.name == f"{PLACE}.1,3.resid_post × 0.5"
    assert (row.raw, row.also_raw, row.raw_in_words) == (5.0, (10.0,), "5 to 10")
    mixed = JointVectors.of([made(), made(hook=HookPoint(2, Site.MLP_OUT))])
    assert mixed.name == f"{PLACE}.1.resid_post,blocks.2.mlp_out"


def test_one_vector_is_what_it_was():
    vector = made()
    joint = JointVectors.of(vector)
    assert joint.name == vector.name and JointVectors.of(joint) is joint
    assert Candidate.of(joint, 0.5, How()).key == Candidate(vector, 0.5).key
    row = ArmRow.of(Arm(Candidate.of(joint, 0.5, How())))
    assert (row.raw_in_words, row.also_raw) == ("5", ())
    assert ArmRow(role="unsteered").raw_in_words == "–"


def test_how_results_describe_them():
    one = SteeredBy.of(JointVectors.of(TWO), "a note")
    assert (one.kind, one.position) == ("mean_difference", "response[:5].mean")
    assert (one.layer, one.typical_norm, one.note) == (1, 10.0, "a note")
    assert [place.typical_norm for place in one.places] == [10.0, 20.0]
    assert one.layers == (1, 3) and one.where == "blocks 1, 3"
    assert list(one.members) == [vector.name for vector in JointVectors.of(TWO).vectors]
    alone = SteeredBy.of(JointVectors.of(made()))
    assert alone.where == "block 1" and alone.members == (alone.name,)


def test_blocks_in_words():
    assert blocks_in_words(()) == ""
    assert blocks_in_words((4,)) == "4"
    assert blocks_in_words((4, 5, 6)) == "4, 5, 6"
    assert blocks_in_words(range(30)) == "0 to 29"
    assert blocks_in_words((0, 1, 2, 4)) == "0, 1, 2, 4"
    assert blocks_in_words((0, 1, 2, 3, 7, 9, 10, 11, 12)) == "0 to 3, 7, 9 to 12"
    every = JointVectors.of([made(layer=layer) for layer in range(90)])
    assert every.name == f"{PLACE}.0-89.resid_post"  # short enough for the name of a file


@given(layers=lists(integers(0, 60), min_size=1, max_size=6, unique=True))
def test_the_order_that_they_are_given_in_does_not_matter(layers):
    vectors = [made(layer=layer, typical_norm=1.0 + layer) for layer in layers]
    joint, other = JointVectors.of(vectors), JointVectors.of(vectors[::-1])
    assert joint.name == other.name
    assert Candidate.of(joint, 0.7, How()).key == Candidate.of(other, 0.7, How()).key
    # In the residual what they add comes together: at the largest coefficient just within bounds.
    largest = largest_coefficient(joint, torch.float32)
    alone = [largest_coefficient(one, torch.float32) for one in vectors]
    assert sum(largest / one for one in alone) == pytest.approx(1)
    check_coefficient(joint, 0.999 * largest, torch.float32)
    with pytest.raises(SondeError, match="overflows"):
        check_coefficient(joint, 1.001 * largest, torch.float32)


def test_a_random_direction_at_each_hook_point():
    joint = JointVectors.of(TWO)
    control = joint_control(joint, 0)
    assert control.method == "random" and control.hooks == joint.hooks
    assert [one.typical_norm for one in control.vectors] == [10.0, 20.0]


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([], "No vector was given"),
        ([made(), made(method="probe")], "two lie at blocks.1.resid_post"),
        ([made(), made(layer=2, method="probe")], "kinds: mean_difference at .*, probe at"),
        ([made(), made(layer=2, position="prompt[-1]")], "several kinds"),
    ],
)
def test_what_cannot_be_steered_together_is_refused(vectors, words):
    with pytest.raises(SondeError, match=words):
        JointVectors.of(vectors)
