from dataclasses import replace

import numpy as np
import pytest
from tests.ledgers import START, recorded, scored, write_units

from sonde.core.errors import SondeError
from sonde.ledger.compare import FROM_INTERVALS, compare
from sonde.ledger.differences import ABSENT, Different, differing
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured, StageEnd, StageStart
from sonde.ledger.wording import difference_in_words
from sonde.stats.effects import difference
from sonde.stats.interval import Interval
from sonde.stats.scores import Scores

GENERATOR = np.random.default_rng(0)
NOISE = GENERATOR.normal(size=40)
UNITS = [f"item {index}" for index in range(40)]


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "ledger.sqlite")


def measured(ledger, folder, values, units=UNITS, metric="mean", **changes):
    """Record a run whose result is the mean of some values, or what they say of two classes."""
    write_units(
        folder / "units.parquet",
        {
            "series": ["s"] * len(values),
            "unit": units,
            "predicted": values,
            "truth": [float(index % 2) for index in range(len(values))],
        },
    )
    score = Interval(float(np.mean(values)), 0.0, 1.0, len(values))
    result = Measured("selected", metric, score, units="units.parquet", series="s")
    return recorded(ledger, results=(result,), folder=folder, **changes)


def only(ledger, a, b):
    (found,) = compare(ledger, a, b).results
    return found


def test_a_difference_is_paired_by_the_units_that_both_have(ledger, tmp_path):
    noise = GENERATOR.normal(size=40) / 10
    a = measured(ledger, tmp_path / "a", NOISE)
    b = measured(ledger, tmp_path / "b", NOISE + 0.3 + noise)
    found = only(ledger, a, b)
    expected = difference(
        Scores("mean", np.array(UNITS), NOISE + 0.3 + noise, None),
        Scores("mean", np.array(UNITS), NOISE, None),
    )
    assert found.design == "paired"
    assert found.difference == expected.interval
    assert found.difference.low > 0.2
    assert found.sentence == (
        f"B is higher by {0.3 + noise.mean():.3f}, which is more than noise: the 95 % interval "
        "leaves out 0; paired over 40 units."
    )


def test_the_same_difference_without_shared_units_is_noise(ledger, tmp_path):
    a = measured(ledger, tmp_path / "a", NOISE)
    b = measured(ledger, tmp_path / "b", NOISE + 0.3, [f"other {unit}" for unit in UNITS])
    found = only(ledger, a, b)
    assert found.design == "unpaired"
    assert found.difference.low < 0 < found.difference.high
    assert found.sentence.startswith("No more than noise: the 95 % interval of B − A, +0.300 [−0.")
    assert found.sentence.endswith("holds 0; unpaired: no unit is in both (80 units).")


def test_some_units_may_be_shared(ledger, tmp_path):
    a = measured(ledger, tmp_path / "a", NOISE)
    b = measured(
        ledger, tmp_path / "b", NOISE, [f"more {unit}" for unit in UNITS[:10]] + UNITS[10:]
    )
    found = only(ledger, a, b)
    assert found.design == "partly paired"
    assert "partly paired: 30 of 50 units are in both" in found.sentence


def test_equal_scores_are_the_same(ledger, tmp_path):
    a = measured(ledger, tmp_path / "a", NOISE)
    b = measured(ledger, tmp_path / "b", NOISE)
    assert only(ledger, a, b).sentence == "The same to the last unit; paired over 40 units."


def test_equal_scores_of_classes_are_the_same_without_rounding(ledger, tmp_path):
    a, b = (measured(ledger, tmp_path / name, NOISE, metric="auroc") for name in "ab")
    found = only(ledger, a, b)
    assert (found.difference.low, found.difference.high) == (0, 0)
    assert found.sentence == "The same to the last unit; paired over 40 units."
    assert only(ledger, a, a).sentence == "One result, which a run took from the other."


def test_without_scores_of_units_the_intervals_are_compared_and_that_is_said(ledger):
    # Distances of 0.1 each: hypot(0.1, 0.1) = 0.141 by hand.
    a, b = (recorded(ledger, results=(scored(value),)) for value in (0.6, 0.9))
    found = only(ledger, a, b)
    assert found.design == FROM_INTERVALS
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (0.1586, 0.4414), abs=1e-4
    )
    assert found.sentence.startswith("B is higher by 0.300, which is more than noise")
    assert (
        "as if no unit were shared, because the scores of single units are missing"
        in found.sentence
    )
    assert "lower by 0.300" in only(ledger, b, a).sentence


def test_what_has_no_number_is_not_compared(ledger):
    missing = Measured("selected", "auroc", None, not_applicable="one class only")
    nan = float("nan")
    a = recorded(ledger, results=(scored(0.6),))
    b = recorded(ledger, results=(missing,))
    c = recorded(ledger, results=(replace(scored(0.6), score=Interval(nan, nan, nan, 4)),))
    assert only(ledger, a, b).sentence == "Not compared: B is not applicable (one class only)."
    assert only(ledger, a, c).sentence.startswith("It cannot be said whether they differ;")


def test_results_are_matched_by_name_and_else_if_one_is_left_on_each_side(ledger):
    several = recorded(ledger, results=(scored(0.5), scored(0.6, "x"), scored(0.7, "y")))
    two = recorded(ledger, results=(scored(0.5), scored(0.6, "z")))
    one = recorded(ledger, results=(scored(0.5, "w"),))
    found = compare(ledger, several, two)
    assert [(pair.a.name, pair.b.name) for pair in found.results] == [("selected", "selected")]
    assert [row.name for row in found.only_a] == ["x", "y"]
    assert [row.name for row in found.only_b] == ["z"]
    assert [(pair.a.name, pair.b.name) for pair in compare(ledger, two, one).results] == []
    assert only(ledger, one, recorded(ledger, results=(scored(0.5, "v"),))).b.name == "v"


def test_what_the_runs_were_made_of_is_compared(ledger):
    def run(hash_, **changes):
        number = ledger.begin_run(replace(START, **changes))
        made_of = {"files": {"path": hash_}, "inputs": {}, "model": {"dtype": "float32"}}
        stage = ledger.begin_stage(number, StageStart("texts", "data", "k", "/x", made_of))
        ledger.end_stage(stage, StageEnd("done"))
        ledger.end_run(number, "done")
        return number

    a = run("aaa", hardware={"cpu": "x"}, commit_hash="abc")
    b = run(
        "bbb",
        resolved={"seed": 4, "odd": None, "model": {"name": "tiny"}},
        overrides=("seed=4", "acts.layers=all"),
        versions={"torch": "3"},
        hardware={"cpu": "x"},
        commit_hash="abd",
    )
    found = compare(ledger, a, b).differences
    assert found["Settings"] == (Different("seed", 3, 4),)
    assert found["Changes by --set"] == (
        Different("seed", "3", "4"),
        Different("acts.layers", ABSENT, "all"),
    )
    assert found["Data"] == (Different("texts.path", "aaa", "bbb"),)
    assert found["Versions"] == (Different("torch", "2", "3"),)
    assert found["The rest"] == (Different("commit", "abc", "abd"),)
    for topic in ("Claims", "Weights", "Inputs of stages", "Hardware", "Facts"):
        assert found[topic] == ()
    assert not any(compare(ledger, a, a).differences.values())


def test_claims_are_compared_a_row_each(ledger):
    it = {"statement": "So.", "by": 0.05, "level": 0.95, "over": 0.5}
    a, b = (
        recorded(ledger, resolved={"seed": 1, "claims": claims})
        for claims in (
            {"it": it, "same": it, "gone": it},
            {"it": {**it, "by": 0.1, "over": "t.x"}, "same": it, "new": it},
        )
    )
    found = compare(ledger, a, b).differences
    assert found["Settings"] == ()
    assert found["Claims"] == (
        Different("it", {"by": 0.05, "over": 0.5}, {"by": 0.1, "over": "t.x"}),
        Different("gone", "So.", ABSENT),
        Different("new", ABSENT, "So."),
    )


def test_a_run_that_is_not_there_is_refused(ledger):
    with pytest.raises(SondeError, match="no run 1"):
        compare(ledger, 1, 2)


def test_a_difference_in_words_has_signs():
    infinity = float("inf")
    assert difference_in_words(Interval(0.25, -0.5, infinity, 4)) == "+0.250 [−0.500, +∞]"
    assert difference_in_words(Interval(0.0, float("nan"), 1e-6, 4)) == "0.000 [–, +1.00e−06]"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"x": 1}, {"x": 1}, []),
        ({"x": 1}, {"x": True}, [("x", 1, True)]),
        ({"x": {"y": 1, "z": 2}}, {"x": {"y": 3, "z": 2}}, [("x.y", 1, 3)]),
        ({"x": [1, 2]}, {"x": [1, 3]}, [("x[1]", 2, 3)]),
        ({"x": [1, 2]}, {"x": [1]}, [("x", [1, 2], [1])]),
        ({"x": 1}, {"y": 1}, [("x", 1, ABSENT), ("y", ABSENT, 1)]),
        ({"x": {}}, {"x": {"y": 1}}, [("x.y", ABSENT, 1)]),
        ({"x": {}}, {"x": []}, [("x", {}, [])]),
        ({"x": None}, {}, [("x", None, ABSENT)]),
        ({}, {}, []),
    ],
)
def test_differences_are_flat_paths(a, b, expected):
    assert [(one.path, one.a, one.b) for one in differing(a, b)] == expected
