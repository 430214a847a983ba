import numpy as np
import pytest
from sqlalchemy import func, select
from tests.ledgers import CONTROL, recorded, write_units

from sonde.core.errors import SondeError
from sonde.ledger import unit_scores as module
from sonde.ledger.records import Against, Measured
from sonde.ledger.schema import unit_scores
from sonde.stats.interval import Interval

FILE = "probe/out_of_fold.parquet"
ROWS = {
    "series": ["selected"] * 4 + ["shuffled 0"] * 4 + ["shuffled 1"] * 4,
    "unit": ["a", "a", "b", "c"] * 3,
    "predicted": [2.0, 1.0, -1.0, -2.0, *np.linspace(0, 1, 8)],
    "truth": [1.0, 1.0, 0.0, 0.0] * 3,
}
MEASURED = Measured(
    "selected",
    "auroc",
    Interval(1.0, 0.9, 1.0, 3),
    controls={"shuffled labels": Against(CONTROL, ("shuffled 0", "shuffled 1"))},
    baselines={"length": Against(CONTROL)},
    units=FILE,
    series="selected",
)


@pytest.fixture
def folder(tmp_path):
    write_units(tmp_path / "stage" / FILE, ROWS)
    return tmp_path / "stage"


def kept(ledger):
    with ledger.engine.begin() as connection:
        return connection.execute(select(func.count()).select_from(unit_scores)).scalar()


def test_scores_come_from_the_ledger_when_the_file_is_gone(ledger, folder):
    run = recorded(ledger, results=(MEASURED,), folder=folder)
    (result,) = ledger.show(run).results
    (folder / FILE).unlink()
    (scores,) = ledger.scores(result.id)
    assert scores.metric == "auroc"
    assert list(scores.unit) == ["a", "a", "b", "c"]
    assert list(scores.predicted) == [2.0, 1.0, -1.0, -2.0]
    assert list(scores.truth) == [1.0, 1.0, 0.0, 0.0]
    assert scores.value == 1.0


def test_a_control_of_several_series_gives_each(ledger, folder):
    recorded(ledger, results=(MEASURED,), folder=folder)
    first, second = ledger.scores(1, "shuffled labels")
    assert list(first.predicted) == ROWS["predicted"][4:8]
    assert list(second.predicted) == ROWS["predicted"][8:]


def test_one_file_is_kept_once(ledger, folder):
    for _ in range(2):
        recorded(ledger, results=(MEASURED, MEASURED), folder=folder)
    assert kept(ledger) == 1
    hashes = {result.units_hash for run in (1, 2) for result in ledger.show(run).results}
    assert len(hashes) == 1


def test_a_large_file_stays_a_file_and_is_known_by_its_hash(ledger, folder, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 10)
    recorded(ledger, results=(MEASURED,), folder=folder)
    assert ledger.scores(1)[0].value == 1.0
    write_units(folder / FILE, {**ROWS, "unit": ["z"] * 12})
    with pytest.raises(SondeError, match="not the file that was recorded"):
        ledger.scores(1)
    (folder / FILE).unlink()
    with pytest.raises(SondeError, match="the file is gone"):
        ledger.scores(1)


def test_what_has_no_scores_is_said(ledger, folder):
    absent = Measured("none", "auroc", None, not_applicable="one class", units=FILE)
    without = Measured("old", "auroc", CONTROL)
    recorded(ledger, results=(MEASURED, absent, without), folder=folder)
    for ask, said in (
        ((1, "shuffled label"), "no control or baseline 'shuffled label'.*shuffled labels"),
        ((1, "length"), "no scores of single units for selected/length"),
        ((2, ""), "not applicable: one class"),
        ((3, ""), "no scores of single units for old"),
        ((9, ""), "no result 9"),
    ):
        with pytest.raises(SondeError, match=said):
            ledger.scores(*ask)


@pytest.mark.parametrize(
    ("name", "said"), [("probe/none.parquet", "does not exist"), ("../other.parquet", "outside")]
)
def test_a_file_that_is_missing_or_elsewhere_is_refused(ledger, folder, name, said):
    write_units(folder.parent / "other.parquet", ROWS)
    wrong = Measured("selected", "auroc", CONTROL, units=name, series="selected")
    with pytest.raises(SondeError, match=said):
        recorded(ledger, results=(wrong,), folder=folder)
