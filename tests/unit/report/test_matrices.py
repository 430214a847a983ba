"""Grids of scores: what they say of themselves, and that every number is in them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.report import (
    Bin,
    Calibration,
    ConfusionMatrix,
    PenaltyMap,
    Reliability,
    Report,
    TransferCell,
    TransferMatrix,
    render,
    transfer_from,
)
from sonde.report.colours import STEPS
from sonde.report.matrix import step_of
from sonde.report.sections import calibration, confusion_matrix, penalty_map, transfer
from sonde.stats.interval import Interval

MAP = PenaltyMap(
    (0, 4, 9),
    (1.0, 10.0, 100.0),
    ((0.5, 0.6, None), (0.55, 0.8, None), (0.56, 0.795, None)),
)
MATRIX = ConfusionMatrix(("a", "b", "c"), ((8, 2, 0), (1, 3, 1), (0, 5, 5)))


def interval(value: float, half: float = 0.05, n: int = 20) -> Interval:
    return Interval(value, value - half, value + half, n)


CELLS = (
    TransferCell("x", "x", interval(0.9)),
    TransferCell("x", "y", interval(0.7)),
    TransferCell("y", "x", interval(0.52)),
    TransferCell("y", "y", None, "it could not be fitted"),
)


def reliability(*pairs: tuple[float, float, float], name: str = "logistic") -> Reliability:
    """Make a bin of 100 rows for each (predicted, observed, half of the interval)."""
    bins = tuple(
        Bin(at / len(pairs), (at + 1) / len(pairs), said, interval(seen, half), 100)
        for at, (said, seen, half) in enumerate(pairs)
    )
    return Reliability(name, bins)


def test_a_penalty_map_says_its_best_its_plateau_and_its_edge():
    assert penalty_map.sentence(MAP) == (
        "AUROC is highest at block 4 with a penalty of 10, .80; there 10 to 100 are within .01 of "
        "it. The largest penalty, 100, is best at 1 of 3 blocks: the grid may end too early."
    )
    none = replace(MAP, scores=((None, math.nan, None),) * 3)
    assert penalty_map.sentence(none) == "No penalty gave a finite score at any block."
    flat = replace(MAP, scores=((0.5, 0.5, 0.5),) * 3)
    assert penalty_map.sentence(flat).endswith("there all 3 penalties are within .01 of it.")
    assert flat.best_at(0) == 2, "the strongest of equals"


def test_a_transfer_matrix_counts_what_lies_above_chance():
    assert transfer.sentence(TransferMatrix(CELLS)) == (
        "1 of 2 transfers lie above chance (.50) with their whole interval; the mean is .61 away "
        "and .90 at home; the best is x → y, .70 [.65, .75] and the worst y → x, .52 [.47, .57]."
    )
    assert "Nothing was tested" in transfer.sentence(TransferMatrix(CELLS[:1]))
    # What was trained on comes first, so that the diagonal is one; a missing pair is hatched.
    some = TransferMatrix((TransferCell("x", "new", interval(0.6)), *CELLS[:2], CELLS[2]))
    assert some.columns == ("x", "y", "new")
    assert transfer.prepare(some)["drawings"].count("not tried") == 2 * 2


def test_a_confusion_matrix_names_the_commonest_mistake():
    assert confusion_matrix.sentence(MATRIX) == (
        "16 of 25 rows (64 %) were read as what they are; the mean recall of the classes is .63, "
        "where one answer to all has .33. The commonest mistake: c read as b, 5 of 10 (50 %)."
    )
    rows = confusion_matrix.prepare(MATRIX)["rows"]
    assert rows[1] == ["b", "1", "3", "1", "5", ".600"]
    assert rows[-1] == ["Precision", ".889", ".300", ".833", "25", ""]
    clean = ConfusionMatrix(("a", "b"), ((3, 0), (0, 2)))
    assert confusion_matrix.sentence(clean).endswith("There is no mistake.")


def test_a_diagram_says_how_probabilities_miss():
    def said(*pairs: tuple[float, float, float]) -> str:
        return calibration.prepare(Calibration((reliability(*pairs),)))["sentence"]

    assert said((0.1, 0.12, 0.05), (0.9, 0.88, 0.05)).startswith("In every one of 2 bins")
    assert said((0.1, 0.3, 0.05), (0.9, 0.7, 0.1)) == (
        "In 0 of 2 bins the interval of the observed share holds the mean prediction; elsewhere "
        "it is overconfident, most where .90 was predicted and .70 observed."
    )
    assert "underconfident" in said((0.3, 0.1, 0.05), (0.7, 0.9, 0.1))
    assert "probabilities are too high" in said((0.3, 0.1, 0.05), (0.9, 0.7, 0.1))
    empty = Calibration((Reliability("a", (Bin(0, 1, None, None, 0),)),))
    assert calibration.prepare(empty)["sentence"] == "No bin has a row."


@pytest.mark.parametrize(
    "make",
    [
        lambda: PenaltyMap((0, 1), (1.0,), ((0.5,),)),
        lambda: PenaltyMap((0,), (2.0, 1.0), ((0.5,), (0.5,))),
        lambda: TransferMatrix(()),
        lambda: TransferMatrix((CELLS[0], CELLS[0])),
        lambda: ConfusionMatrix(("a", "b"), ((1, 2),)),
        lambda: Calibration(()),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(SondeError):
        make()


def test_every_drawing_has_both_sizes_a_label_and_a_table():
    two = Calibration(
        (
            reliability((0.1, 0.2, 0.05), name="as fitted"),
            reliability((0.1, 0.1, 0.05), name="temperature"),
        ),
        "true",
    )
    for section in (MAP, TransferMatrix(CELLS), MATRIX, two):
        page = render(Report("t", "q", (section,)))
        body = page.split('<section class="part')[1]
        assert body.count('role="img"') >= 2
        assert "<title>" in body and "<details>" in body and "<p class=" in body
        assert 'class="chart' in body


def test_many_classes_are_numbered_and_very_many_are_in_the_table_only():
    names = tuple(f"class {number}" for number in range(9))
    counts = tuple(tuple(int(row == column) * 5 for column in range(9)) for row in range(9))
    drawn = confusion_matrix.prepare(ConfusionMatrix(names, counts))["drawings"]
    assert "9 · class 8" in drawn and ">recall<" in drawn
    names = tuple(f"class {number}" for number in range(17))
    counts = tuple(tuple(1 for _ in names) for _ in names)
    assert confusion_matrix.prepare(ConfusionMatrix(names, counts))["drawings"] == ""


@given(
    value=st.floats(-3, 3),
    low=st.floats(-1, -0.1),
    high=st.floats(0.1, 1),
)
def test_colours_are_bounded_and_rise_with_the_value(value, low, high):
    step = step_of(value, low, 0.0, high)
    assert step is not None and -STEPS <= step <= STEPS
    assert step_of(high, low, 0.0, high) == STEPS and step_of(low, low, 0.0, high) == -STEPS
    assert step <= (step_of(value + 0.01, low, 0.0, high) or 0) or value >= high
    assert step_of(math.nan, low, 0.0, high) is None


def test_parts_held_out_in_turn_stand_under_each_other():
    held = TransferMatrix(
        (
            TransferCell("all but a", "a", interval(0.8)),
            TransferCell("all but b", "b", interval(0.6)),
        )
    )
    drawn = transfer.prepare(held)["drawings"]
    assert "not tried" not in drawn and "all but a → a: .80" in drawn
    assert transfer.sentence(held).startswith("2 of 2 transfers lie above chance")


def test_transfers_of_fitted_probes_keep_their_numbers():
    from sonde.probes.scored import Scored
    from sonde.probes.transferring import Transfer
    from sonde.probes.transferring import TransferCell as Measured

    n = 10
    names, ones = np.array([f"e{at}" for at in range(n)]), np.ones(n)
    truth = np.array([0.0] * 7 + [1.0] * 3)
    scored = Scored(names, ones, names, ones, truth, ones, ones)
    cells = (
        Measured("x", "y", interval(0.7), scored),
        Measured("x", "x", None, note="too few"),
    )
    shown = transfer_from(Transfer("logistic", "accuracy", cells))
    assert shown.chance == pytest.approx(0.7), "the larger class's share"
    assert shown.cells[0].score == interval(0.7)
    assert shown.cells[1].note == "too few"
    assert transfer_from(Transfer("ridge", "r2", cells[:1])).chance == 0.0
