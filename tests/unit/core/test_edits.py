"""Edits as values: worked cases, what they refuse, and rows of a batch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from sonde.core.edits import (
    Ablate,
    Add,
    Affine,
    Clamp,
    Edit,
    Gate,
    Replace,
    Scope,
    When,
    _check_ends,  # pyright: ignore[reportPrivateUsage]
    _check_tensor,  # pyright: ignore[reportPrivateUsage]
    cap,
    select_rows,
)
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site

HOOK = HookPoint(0, Site.RESID_POST)
X = torch.tensor([[[3.0, 4.0], [1.0, 0.0]]])  # one row, two tokens
UP = torch.tensor([0.0, 2.0])  # a direction need not be of unit length


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (Add(HOOK, UP), [[3.0, 6.0], [1.0, 2.0]]),
        (Add(HOOK, UP, -0.5), [[3.0, 3.0], [1.0, -1.0]]),
        (Ablate(HOOK, UP), [[3.0, 0.0], [1.0, 0.0]]),
        (Ablate(HOOK, torch.tensor([1.0, 1.0])), [[-0.5, 0.5], [0.5, -0.5]]),
        (Clamp(HOOK, UP, 1.0, 2.0), [[3.0, 2.0], [1.0, 1.0]]),
        (Clamp(HOOK, UP, 7.0, 7.0), [[3.0, 7.0], [1.0, 7.0]]),
        (Replace(HOOK, UP), [[0.0, 2.0], [0.0, 2.0]]),
        (
            Affine(HOOK, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1.0, 0.0])),
            [[5.0, 3.0], [1.0, 1.0]],
        ),
    ],
)
def test_edits_by_hand(edit: Edit, wanted: list[list[float]]) -> None:
    assert_close(edit.apply(X), torch.tensor([wanted]))


def test_rows_have_their_own_vectors_and_scales() -> None:
    x = torch.zeros(2, 1, 2)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    got = Add(HOOK, vectors, torch.tensor([2.0, 3.0])).apply(x)
    assert_close(got, torch.tensor([[[2.0, 0.0]], [[0.0, 3.0]]]))
    clamped = Clamp(HOOK, vectors, torch.tensor([5.0, 0.0]), torch.tensor([5.0, 1.0])).apply(x)
    assert_close(clamped, torch.tensor([[[5.0, 0.0]], [[0.0, 0.0]]]))


def test_a_value_for_each_token() -> None:
    value = torch.arange(4.0).reshape(1, 2, 2)
    assert torch.equal(Replace(HOOK, value).apply(X), value)
    with pytest.raises(SondeError, match=r"\[1, 3, 2\]"):
        Replace(HOOK, torch.zeros(1, 3, 2)).apply(X)


def test_a_scale_of_zero_changes_nothing_in_bfloat16() -> None:
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    got = Add(HOOK, torch.full((8,), 1e4), 0.0).apply(x)
    assert got.dtype is torch.bfloat16
    assert torch.equal(got, x)


@given(
    seed=st.integers(0, 10_000),
    length=st.floats(0.01, 100),
    low=st.floats(-5, 5),
    width=st.floats(0, 5),
)
def test_projections_end_where_they_are_told_to(
    seed: int, length: float, low: float, width: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(2, 4, 6, generator=random)
    v = torch.randn(2, 6, generator=random)
    unit = (v / v.norm(dim=-1, keepdim=True))[:, None]
    ablated = Ablate(HOOK, length * v).apply(x)
    assert_close((ablated * unit).sum(-1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    assert_close(Ablate(HOOK, v).apply(ablated), ablated, atol=1e-5, rtol=0)
    clamped = (Clamp(HOOK, length * v, low, low + width).apply(x) * unit).sum(-1)
    assert bool(((clamped >= low - 1e-4) & (clamped <= low + width + 1e-4)).all())


@pytest.mark.parametrize("direction", [torch.zeros(2), torch.tensor([1.0, float("nan")])])
def test_a_direction_must_have_one(direction: torch.Tensor) -> None:
    with pytest.raises(SondeError, match="no direction"):
        Ablate(HOOK, direction)
    with pytest.raises(SondeError, match="no direction"):
        Clamp(HOOK, direction, 0.0, 1.0)


def test_a_clamp_has_its_ends_in_order() -> None:
    with pytest.raises(SondeError, match=r"low end at or below .*given: low 2, high 1\."):
        Clamp(HOOK, UP, 2.0, 1.0)
    with pytest.raises(SondeError, match="given: low nan, high 1"):
        Clamp(HOOK, UP, float("nan"), 1.0)
    with pytest.raises(SondeError, match=r"given in row 1: low 3, high 2\.5"):
        Clamp(HOOK, UP, torch.tensor([0.0, 3.0]), 2.5)
    with pytest.raises(SondeError, match=r"low ends of shape \[2\] and high ends of shape \[3\]"):
        _check_ends(torch.zeros(2), torch.ones(3))


@pytest.mark.parametrize(
    ("vector", "scale"), [(UP / 0.0, 1.0), (UP, float("nan")), (UP, torch.tensor([1.0, torch.inf]))]
)
def test_nothing_adds_nan(vector: torch.Tensor, scale: float | torch.Tensor) -> None:
    with pytest.raises(SondeError, match="adds NaN or Inf"):
        Add(HOOK, vector, scale)


def test_what_annotations_would_refuse_is_a_users_mistake_without_them() -> None:
    with pytest.raises(SondeError, match=r"ndarray where a tensor.*torch\.as_tensor"):
        _check_tensor(UP.numpy())
    edit = Add(HOOK, UP)
    object.__setattr__(edit, "vector", torch.tensor(1.0))
    with pytest.raises(SondeError, match=r"shape \[\]"):
        edit.apply(X)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Add(HOOK, torch.ones(3)), "width 2"),
        (Add(HOOK, torch.ones(4, 2)), "4 rows"),
        (Add(HOOK, UP, torch.ones(4)), "1 rows"),
        (Affine(HOOK, torch.eye(3), torch.ones(3)), r"matrix \[3, 3\]"),
    ],
)
def test_edits_that_do_not_fit(edit: Edit, message: str) -> None:
    with pytest.raises(SondeError, match=message):
        edit.apply(X)


def test_a_cap_brings_down_what_is_above_it() -> None:
    assert_close(cap(HOOK, UP, 2.0).apply(X), torch.tensor([[[3.0, 2.0], [1.0, 0.0]]]))


def test_a_gate_is_open_above_its_threshold() -> None:
    """x · (1, 1) is 7 and 1; with a bias of -1 they are 6 and 0."""
    weight = torch.ones(2)
    assert Gate(HOOK, weight).open(X).tolist() == [[[True], [True]]]
    assert Gate(HOOK, weight, threshold=1.0).open(X).tolist() == [[[True], [False]]]
    assert Gate(HOOK, weight, bias=-1.0).open(X).tolist() == [[[True], [False]]]
    both = X.expand(2, 2, 2)
    own = Gate(HOOK, torch.stack([weight, -weight]), threshold=torch.tensor([1.0, -2.0]))
    assert own.open(both)[..., 0].tolist() == [[True, False], [False, True]]
    with pytest.raises(SondeError, match="NaN or Inf in its weight"):
        Gate(HOOK, torch.tensor([1.0, torch.nan]))


def test_windows_of_generated_tokens() -> None:
    def reached(scope: Scope) -> list[int]:
        return [step for step in range(6) if scope.reaches_step(step)]

    assert reached(Scope()) == reached(Scope(when=When.GENERATED)) == [0, 1, 2, 3, 4, 5]
    assert reached(Scope(when=When.PROMPT)) == []
    assert reached(Scope(steps=(0, 2))) == [0, 1]
    assert reached(Scope(steps=(4, None))) == [4, 5]
    for window in ((2, 2), (-1, 3)):
        with pytest.raises(SondeError, match="which is empty"):
            Scope(steps=window)
    with pytest.raises(SondeError, match="edit of the prompt was given the window"):
        Scope(steps=(0, 2), when=When.PROMPT)


def test_selecting_rows_takes_what_differs_by_row() -> None:
    rows = torch.tensor([2, 0])
    vectors = torch.arange(6.0).reshape(3, 2)
    scope = Scope(rows=torch.tensor([True, False, True]), tokens=torch.eye(3).bool())
    got = select_rows(Add(HOOK, vectors, torch.tensor([1.0, 2.0, 3.0]), scope), rows, 3)
    assert isinstance(got, Add)
    assert torch.equal(got.vector, vectors[[2, 0]])
    assert torch.equal(torch.as_tensor(got.scale), torch.tensor([3.0, 1.0]))
    assert got.scope.rows is not None
    assert got.scope.rows.tolist() == [True, True]
    assert got.scope.tokens is not None
    assert torch.equal(got.scope.tokens, torch.eye(3).bool()[[2, 0]])
    gate = Gate(HOOK, vectors, torch.tensor([1.0, 2.0, 3.0]))
    gated = select_rows(Add(HOOK, UP, scope=Scope(gate=gate)), rows, 3).scope.gate
    assert gated is not None
    assert torch.equal(gated.weight, vectors[[2, 0]])
    assert torch.equal(torch.as_tensor(gated.bias), torch.tensor([3.0, 1.0]))
    shared = Add(HOOK, UP)
    assert torch.equal(select_rows(shared, rows, 3).vector, UP)
    with pytest.raises(SondeError, match="3 rows, and the batch has 5"):
        select_rows(Add(HOOK, vectors), rows, 5)
