import json

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.data.comparison_settings import ComparisonSpec, DrawSettings
from sonde.data.comparisons import Comparison, Comparisons
from sonde.data.ratings import draw_comparisons, read_ratings
from sonde.data.read_comparisons import read_comparisons


def written(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_every_way_to_write_an_outcome(tmp_path):
    text = "a,b,choice\ncat,dog,cat\ncat,dog,dog\ncat,dog,tie\ncat,dog,A\ncat,dog,0.25\n"
    found = read_comparisons(written(tmp_path, "pairs.csv", text)).comparisons
    assert found.outcome.tolist() == [1, 0, 0.5, 1, 0.25]
    assert found.items.tolist() == ["cat", "dog"]
    assert found.ties == 1


def test_winners_and_losers_need_no_outcome(tmp_path):
    rows = [{"winner": 3, "loser": 4.0, "count": 2}, {"winner": 4, "loser": 5, "count": 1}]
    text = "\n".join(map(json.dumps, rows))
    found = read_comparisons(written(tmp_path, "pairs.jsonl", text)).comparisons
    assert list(found) == [Comparison("3", "4", 1.0, 2.0), Comparison("4", "5", 1.0, 1.0)]


def test_levels_are_spaced_evenly(tmp_path):
    path = written(tmp_path, "pairs.tsv", "a\tb\tresult\nx\ty\tmuch worse\ny\tz\tbetter\n")
    levels = ("much better", "better", "equal", "worse", "much worse")
    found = read_comparisons(ComparisonSpec(path=path, levels=levels)).comparisons
    assert found.outcome.tolist() == [0, 0.75]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("x,x,1", "row 3: an item compared with itself ('x', 'x')"),
        ("x,y,nan", "row 3: an outcome that is not a number"),
        ("x,y,", "row 3: an outcome that is not a number"),
        ("x,y,2", "row 3: an outcome outside 0 to 1"),
        ("x,y,frist", "Did you mean 'first'?"),
        (",y,1", "row 3: an item's id is empty"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, named):
    path = written(tmp_path, "pairs.csv", f"a,b,outcome\nx,y,1\n{row}\n")
    with pytest.raises(SondeError, match="row 3") as caught:
        read_comparisons(path)
    assert named in str(caught.value)


def test_bad_rows_and_ties_can_be_left_out_and_are_counted(tmp_path):
    path = written(tmp_path, "pairs.csv", "a,b,outcome\nx,y,1\nx,x,1\nx,y,0.5\n")
    found = read_comparisons(ComparisonSpec(path=path, bad_comparison="skip", ties="drop"))
    assert len(found.comparisons) == 1
    assert [one.reason for one in found.skipped] == ["an item compared with itself", "a tie"]
    assert found.skipped[0].row == "pairs.csv, row 3"


def test_nothing_but_ties_is_refused():
    with pytest.raises(SondeError, match="All 2 comparisons are ties"):
        Comparisons.of([Comparison("x", "y", 0.5), Comparison("y", "z", 0.5)])


def test_a_file_without_a_winner_says_which_column_it_lacks(tmp_path):
    with pytest.raises(SondeError, match="which says which of 'a' and 'b' won"):
        read_comparisons(written(tmp_path, "pairs.csv", "a,b\nx,y\n"))


def test_items_get_their_numbers_and_absent_ones_minus_one():
    found = Comparisons.of([Comparison("b", "c", 1), Comparison("z", "a", 0)])
    first, second = found.numbered(np.array(["a", "b", "c"]))
    assert first.tolist() == [1, -1]
    assert second.tolist() == [2, 0]


def test_ids_in_any_order_give_their_own_places():
    found = Comparisons.of([Comparison("b", "c", 1), Comparison("z", "a", 0)])
    first, second = found.numbered(np.array(["c", "a", "b"]))
    assert first.tolist() == [2, -1]
    assert second.tolist() == [0, 1]
    assert [side.tolist() for side in found.numbered(np.array([], str))] == [[-1, -1]] * 2


def test_drawn_comparisons_follow_the_ratings(tmp_path):
    path = written(tmp_path, "r.csv", 'id,ratings\nlow,"[1, 2]"\nmid,"[2, 3]"\nhigh,"[4]"\n')
    ratings = read_ratings(path)
    found = draw_comparisons(ratings, DrawSettings(n=2000, seed=1))
    won = np.where(found.outcome == 1, found.first, found.second)
    among = {name: (found.first == name) | (found.second == name) for name in ratings}
    assert (won[among["high"]] == "high").all()  # 4 beats every other rating
    mid_low = among["mid"] & among["low"]
    # Of the four draws of (2, 3) against (1, 2) one is a tie, dropped, and mid wins the others.
    assert (won[mid_low] == "mid").all()
    assert found.ties == 0
    kept = draw_comparisons(ratings, DrawSettings(n=2000, ties="keep", seed=1))
    both = ((kept.first == "mid") & (kept.second == "low")) | (
        (kept.first == "low") & (kept.second == "mid")
    )
    assert abs((kept.outcome[both] == 0.5).mean() - 0.25) < 0.06


def test_equal_ratings_cannot_be_drawn_from():
    with pytest.raises(SondeError, match="hardly differ"):
        draw_comparisons({"x": [1.0], "y": [1.0]}, DrawSettings(n=2))
