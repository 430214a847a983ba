"""Edits of rows: where rows part, what is left out, and which edits are the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.edits import Add, Affine, Clamp, Edit, Gate, Scope, When
from sonde.core.hooks import HookPoint, Site
from sonde.models.model import Model
from sonde.models.row_edits import Edits, below, place_edits
from sonde.models.tiny import tiny_model

V = torch.ones(32)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model("llama")


def placed(model: Model, *edits: Edit) -> Edits:
    return place_edits(model, edits, 5, {})


def test_an_edit_of_what_a_block_returns_is_one_of_what_the_next_gets(model: Model) -> None:
    first, last, inside = placed(
        model,
        Add(HookPoint(2, Site.RESID_POST), V),
        Add(HookPoint(1, Site.MLP_OUT), V),
        Add(HookPoint(0, Site.RESID_POST), V),
    )[::-1]
    assert (inside.edit.hook, inside.start) == (HookPoint(1, Site.RESID_PRE), 1)
    assert (last.edit.hook, last.start) == (HookPoint(1, Site.MLP_OUT), 1)
    assert (first.edit.hook, first.start) == (HookPoint(2, Site.RESID_POST), 2)  # no next block


def test_rows_part_where_their_gate_is(model: Model) -> None:
    gate = Gate(HookPoint(0, Site.MLP_OUT), V)
    (one,) = placed(model, Add(HookPoint(2, Site.MLP_OUT), V, scope=Scope(gate=gate)))
    assert one.start == 0


def test_edits_that_do_nothing_are_left_out(model: Model) -> None:
    hook = HookPoint(1, Site.MLP_OUT)
    assert placed(model, Add(hook, V, 0.0), Add(hook, 0 * V)) == ()
    assert placed(model, Clamp(hook, V, -torch.inf, torch.inf)) == ()
    nowhere = Scope(tokens=torch.zeros(1, 5).bool())
    assert placed(model, Add(hook, V, scope=nowhere)) == ()


@given(
    scale=st.sampled_from([1.0, 2.0]),
    layer=st.integers(0, 1),
    when=st.sampled_from(list(When)),
    length=st.sampled_from([1.0, 3.0]),
    kind=st.sampled_from(["add", "affine"]),
)
def test_edits_are_the_same_where_all_they_hold_is(model, scale, layer, when, length, kind) -> None:
    def made(scale: float, layer: int, when: When, length: float, kind: str) -> Edit:
        hook, scope = HookPoint(layer, Site.MLP_OUT), Scope(when=when)
        if kind == "add":
            return Add(hook, length * torch.ones(32), scale, scope)
        return Affine(hook, scale * torch.eye(32), length * torch.ones(32), scope)

    given = (scale, layer, when, length, kind)
    usual = (1.0, 0, When.BOTH, 1.0, "add")
    keys = [below(placed(model, made(*values))) for values in (given, given, usual)]
    assert keys[0] == keys[1]
    assert (keys[0] == keys[2]) == (given == usual)
    (one,) = placed(model, made(*given))
    assert below((one,), layer - 1) == ()
    assert below((one,), layer) == keys[0]
