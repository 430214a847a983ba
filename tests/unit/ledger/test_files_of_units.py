import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledgers import write_units

from sonde.core.errors import SondeError
from sonde.ledger.units import read_scores, series_in, told_apart
from sonde.stats.scores import Scores

ROWS = {
    "series": ["b", "a", "b"],
    "unit": ["u1", "u2", "u3"],
    "predicted": [0.5, float("nan"), -1.0],
    "truth": [1.0, None, 0.0],
}


def test_a_series_is_read_from_a_file_and_from_its_content(tmp_path):
    path = write_units(tmp_path / "units.parquet", {**ROWS, "layer": [1, 2, 3]})
    for source in (path, path.read_bytes()):
        assert series_in(source) == ("b", "a")
        scores = read_scores(source, "b", "accuracy")
        assert (list(scores.unit), list(scores.predicted)) == (["u1", "u3"], [0.5, -1.0])
        assert list(scores.truth) == [1.0, 0.0]
        assert scores.other is None
        assert not scores.cross_validated


def test_a_mean_has_no_truth(tmp_path):
    path = write_units(tmp_path / "units.parquet", ROWS)
    assert read_scores(path, "b", "mean").truth is None
    assert read_scores(path, "b", "mean").value == -0.25
    (predicted,) = read_scores(path, "a", "mean").predicted
    assert np.isnan(predicted)


def test_pairwise_data_have_two_units_a_row(tmp_path):
    columns = {**ROWS, "series": ["b"] * 3, "truth": [1.0, 0.0, 1.0], "other": ["u2", "u3", "u1"]}
    path = write_units(tmp_path / "units.parquet", columns)
    assert list(read_scores(path, "b", "accuracy").other) == ["u2", "u3", "u1"]


@pytest.mark.parametrize(
    ("folds", "expected"), [([0, 1, 2], True), ([-1, -1, -1], False), ([None] * 3, False)]
)
def test_folds_tell_what_was_cross_validated(tmp_path, folds, expected):
    import pyarrow as pa

    columns = {**ROWS, "series": ["b"] * 3, "fold": pa.array(folds, pa.int64())}
    path = write_units(tmp_path / "units.parquet", {**columns, "truth": [1.0, 0.0, 1.0]})
    assert read_scores(path, "b", "accuracy").cross_validated is expected


def test_a_series_that_is_not_there_is_named_with_the_nearest(tmp_path):
    path = write_units(tmp_path / "units.parquet", {**ROWS, "series": ["selected"] * 3})
    with pytest.raises(SondeError, match=r"no series 'select'.*'selected'"):
        read_scores(path, "select", "auroc")


def test_what_is_no_file_of_units_is_refused(tmp_path):
    path = tmp_path / "units.parquet"
    path.write_text("no table")
    with pytest.raises(SondeError, match="cannot be read as Parquet"):
        series_in(path)
    with pytest.raises(SondeError, match="cannot be read as Parquet"):
        series_in(b"no table")
    with pytest.raises(SondeError, match="cannot be read as Parquet"):
        series_in(tmp_path / "none.parquet")
    write_units(path, {"series": ["a"], "unit": ["u"]})
    with pytest.raises(SondeError, match="no column 'predicted'"):
        read_scores(path, "a", "auroc")


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=5), st.floats(width=64)), min_size=1)
)
def test_every_row_comes_back_in_its_series(tmp_path_factory, rows):
    series, units, predicted = (list(column) for column in zip(*rows, strict=True))
    units = [text.encode("utf-8", "replace").decode().replace("\x00", "") for text in units]
    path = write_units(
        tmp_path_factory.mktemp("units") / "u.parquet",
        {"series": series, "unit": units, "predicted": predicted, "truth": predicted},
    )
    for name in series_in(path):
        scores = read_scores(path, name, "mean")
        here = [index for index, one in enumerate(series) if one == name]
        assert list(scores.unit) == [units[index] for index in here]
        np.testing.assert_array_equal(scores.predicted, np.array(predicted)[here])


def test_row_numbers_are_named_after_their_data_and_names_are_kept():
    units, others = np.array(["0", "12", "p3"]), np.array(["1", "x", "12"])
    scores = Scores("mean", units, np.zeros(3), None, others)
    apart = told_apart(scores, "abc")
    assert apart.unit.tolist() == ["abc row 0", "abc row 12", "p3"]
    assert apart.other.tolist() == ["abc row 1", "x", "abc row 12"]
    assert told_apart(scores, "") is scores
