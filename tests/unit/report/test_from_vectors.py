"""Cosines in a report: at one block and why, between blocks, between models."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.vectors.made_vectors import made

from sonde.report import Report, cosines_from, layer_cosines_from, model_cosines_from, render
from sonde.report.dense_matrix import MOST, DenseGrid, dense_drawings, thinned
from sonde.report.sections import cosine_matrix
from sonde.vectors import VectorSet


def turning(n_layers, **changes):
    """Vectors that turn by the same angle from block to block, a right angle in all."""
    angles = torch.linspace(0, torch.pi / 2, n_layers)
    directions = [(float(angle.cos()), float(angle.sin()), 0.0) for angle in angles]
    return [made(direction, layer, **changes) for layer, direction in enumerate(directions)]


def test_cosines_between_blocks_fall_as_the_direction_turns():
    (section,) = layer_cosines_from(VectorSet(tuple(turning(3))))
    assert section.names == ("block 0", "block 1", "block 2")
    root = 0.5**0.5  # the cosine of half a right angle
    expected = ((1, root, 0), (root, 1, root), (0, root, 1))
    for row, wanted in zip(section.cosines, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-6)
    assert "Of mean difference at response[:5].mean" in section.note
    assert cosine_matrix.prepare(section)["drawings"]


def test_many_blocks_are_thinned_and_drawn_without_numbers():
    vectors = [*turning(42), *turning(42, method="probe"), *turning(2, method="random")]
    (section,) = layer_cosines_from(VectorSet(tuple(vectors)))
    assert len(section.names) == MOST and section.short[0] == "0" and section.short[-1] == "41"
    assert "30 of 42 blocks" in section.note
    page = render(Report("t", "q", (section,)))
    wide = page[page.index('class="chart grid-chart wide"') :]
    wide = wide[: wide.index("</svg>")]
    squares = sum(path.count("M") for path in re.findall(r'<path d="([^"]*)"', wide))
    assert squares == MOST**2 and len(wide) < 40_000


def test_one_block_has_nothing_to_compare():
    assert layer_cosines_from(VectorSet((made(),))) == ()
    assert layer_cosines_from(VectorSet((made(method="random"),))) == ()


def test_the_block_is_named_with_the_reason():
    found = VectorSet((made(), made(method="probe", direction=(0.0, 0.0, 1.0))))
    (section,) = cosines_from(found, 1, "At block 1, where probe separates best.")
    assert section.cosines[0] == pytest.approx((1, 0.8))
    assert section.note == "At block 1, where probe separates best."
    assert section.note in render(Report("t", "q", (section,)))


def test_too_many_to_draw_is_said_with_the_reason():
    kinds = [made(method=f"method_{number}") for number in range(13)]
    (section,) = cosines_from(VectorSet(tuple(kinds)), 1, "Because.")
    page = render(Report("t", "q", (section,)))
    assert "More than 12 are not drawn: all cosines are in the table. Because." in page


def test_models_are_compared_kind_by_kind():
    base = VectorSet((made(), made(method="probe", direction=(1.0, 0.0, 0.0))))
    tuned = VectorSet((made(direction=(1.0, 0.0, 0.0)), made(method="lda")))
    (section,) = model_cosines_from({"base": base, "tuned": tuned}, 1)
    assert section.names == ("mean difference, base", "mean difference, tuned")
    assert section.cosines[0] == pytest.approx((1, 0.6))
    assert model_cosines_from({"base": base, "tuned": tuned}, 2) == ()
    wider = VectorSet((made(direction=(1.0, 0.0, 0.0, 0.0), massive=()),))
    assert model_cosines_from({"base": base, "wider": wider}, 1) == ()


@given(st.integers(1, 400), st.integers(2, 60))
def test_thinning_keeps_both_ends_in_order(number, most):
    kept = thinned(number, most)
    assert kept[0] == 0 and kept[-1] == number - 1
    assert len(kept) == min(number, most) and list(kept) == sorted(set(kept))


def test_a_missing_cosine_is_hatched():
    grid = DenseGrid(("0", "1"), ((10, None), (None, -10)), "block", "two")
    drawn = str(dense_drawings(grid))
    assert all(f'class="{name}"' in drawn for name in ("b-10", "bx", "b10"))
