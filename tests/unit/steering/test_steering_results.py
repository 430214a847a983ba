"""Results of a search: what is quoted of them, and their files."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.unit.steering.made_answers import made_answers, made_results, steered_by

from sonde.core.errors import SondeError
from sonde.steering.evaluation import evaluation_table
from sonde.steering.results import SteeringResults

VECTORS = [steered_by("probe", 1), steered_by("probe", 2), steered_by("random", 1)]
PROBE_1, PROBE_2 = VECTORS[0].name, VECTORS[1].name


def searched(seed=0):
    """Unsteered, prompt, and three vectors at two coefficients; probe at layer 2 × 1 is best."""
    rng = np.random.default_rng(seed)
    means = np.array([20, 45, 25, 35, 40, 70, 21, 20])
    surprise = [1.0, 1.1, 1.0, 1.1, 1.1, 1.2, 1.0, 2.0]
    trait = means[:, None] + rng.normal(0, 4, (8, 20))
    return made_results(made_answers(trait, surprise=surprise), VECTORS)


def test_arms_are_found_by_what_they_are():
    results = searched()
    assert results.select(method="probe") == [2, 3, 4, 5]
    assert results.select(method="probe", layer=2) == [4, 5]
    assert results.select(kind="random", cleaning="none") == [6, 7]
    assert results.of_vector(PROBE_1) == [2, 3]
    assert results.arm("prompt") == 1
    assert results.arms[5].name == f"{PROBE_2} × 1"
    with pytest.raises(SondeError, match=r"was not searched\. Did you mean"):
        results.vector("prob@response[:5].mean@blocks.1.resid_post")


def test_what_is_quoted():
    results = searched()
    assert results.trait(0).value == pytest.approx(0.2, abs=0.03)
    assert results.change(1).interval.value == pytest.approx(
        (results.answers.trait[1] - results.answers.trait[0]).mean() / 100
    )
    assert results.coherence(0) is None
    assert results.perplexity(3) == pytest.approx(np.exp(1.1))
    assert results.perplexity_ratio(3).value == pytest.approx(np.exp(0.1))
    assert results.within_limit().tolist() == [True] * 7 + [False]  # e^1 > 1.5


def test_the_best_is_quoted_from_questions_that_did_not_choose_it():
    best = searched().best()
    assert best.found and best.arm.name == f"{PROBE_2} × 1"
    assert best.trait.value == pytest.approx(0.7, abs=0.04)
    assert best.scores.cross_validated
    assert best.change.interval.low > 0.3
    assert best.perplexity_ratio.value == pytest.approx(np.exp(0.2))
    other = searched().best(searched().select(layer=1, method="probe"))
    assert best.minus(other).interval.low > 0.1
    alone = searched().best([7])  # beyond the limit
    assert not alone.found and alone.change.interval.value == 0


def test_the_table_has_the_baselines_and_each_group_at_its_best():
    rows = evaluation_table(searched(), by=("kind",))
    assert [row.name for row in rows] == ["unsteered", "prompt", "probe", "random"]
    assert [row.n_candidates for row in rows] == [0, 0, 4, 2]
    assert [row.is_control for row in rows] == [False, False, False, True]
    assert rows[0].change is None and rows[1].change is not None
    assert rows[2].arm.vector == PROBE_2
    layers = evaluation_table(searched(), by=("kind", "layer"))
    assert [row.name for row in layers[2:]] == ["probe@1", "probe@2", "random@1"]


def test_saved_and_loaded_results_are_the_same(tmp_path):
    results = searched()
    results.answers.trait[3, 2] = np.nan
    folder = results.save(tmp_path / "steer")
    again = SteeringResults.load(folder)
    for name in ("task", "settings", "vectors", "arms", "judges", "model", "cost", "warnings"):
        assert getattr(again, name) == getattr(results, name), name
    assert [cliff.points[0] for cliff in again.cliffs] == [one.points[0] for one in results.cliffs]
    assert np.isnan(again.cliffs[0].points[1].perplexity_ratio)
    assert again.answers.text == results.answers.text
    assert np.array_equal(again.answers.finished, results.answers.finished)
    for name in ("n_tokens", "margin", "log_likelihood", "trait", "mass", "coherence"):
        found, kept = getattr(again.answers, name), getattr(results.answers, name)
        assert np.array_equal(found, kept, equal_nan=True), name
    table = pq.read_table(folder / "answers.parquet").to_pylist()
    assert len(table) == 8 * 20
    assert table[45] == {
        "arm": 2,
        "role": "steered",
        "vector": PROBE_1,
        "coefficient": 0.5,
        "raw": 5.0,
        "method": "probe",
        "cleaning": "none",
        "hook": "blocks.1.resid_post",
        "layer": 1,
        "position": "response[:5].mean",
        "layers": [1],
        "question": 5,
        "asked": "Question 5?",
        "answer": "answer 2 5",
        **{key: table[45][key] for key in table[45] if key not in list(table[45])[:14]},
    }


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(SondeError, match="does not exist"):
        SteeringResults.load(tmp_path)
    folder = searched().save(tmp_path)
    text = (folder / "steering.json").read_text()
    (folder / "steering.json").write_text(text.replace('"format": 1', '"format": 9'))
    with pytest.raises(SondeError, match="has format 9; this sonde reads 1"):
        SteeringResults.load(folder)
    (folder / "steering.json").write_text(text.replace('"steering"', '"probe"'))
    with pytest.raises(SondeError, match="holds no search"):
        SteeringResults.load(folder)
    (folder / "steering.json").write_text(text)
    whole = (folder / "answers.parquet").read_bytes()
    (folder / "answers.parquet").write_bytes(whole[:-9])
    with pytest.raises(SondeError, match="cannot be read"):
        SteeringResults.load(folder)
