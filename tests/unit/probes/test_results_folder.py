import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from planted import as_examples, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json
from sonde.probes import ProbeResults
from sonde.probes.names import BASELINES, CONTROLS
from sonde.stats import METRICS


@pytest.fixture(scope="module")
def found():
    acts, label, _ = planted_classes(layers=3, pairs=True, n=40)
    acts.tensors[acts.hooks[0]][5, 1] = float("nan")
    examples = as_examples(acts, label)[:-1]
    rng = np.random.default_rng(1)
    untrained = type(acts)(
        {hook: torch.from_numpy(rng.normal(size=(40, 4))) for hook in acts.hooks},
        acts.rows,
        acts.origin.model_copy(update={"model_fingerprint": "beef" * 4}),
    )
    return probes.logistic(
        acts, examples, random_weights=untrained, resamples=100, shuffles=2, directions=3
    )


def test_everything_comes_back(found, tmp_path):
    loaded = ProbeResults.load(found.save(tmp_path))
    assert str(loaded) == str(found)
    assert loaded.table() == found.table()
    assert loaded.settings == found.settings
    assert loaded.join == found.join
    assert loaded.failed == found.failed
    assert loaded.selected_hooks == found.selected_hooks
    assert loaded.selection.penalties == found.selection.penalties
    for one, other in zip(loaded.layers, found.layers, strict=True):
        np.testing.assert_array_equal(one.out_of_fold, other.out_of_fold)
        np.testing.assert_array_equal(one.scored.unit, other.scored.unit)
        assert list(one.controls) == list(other.controls) == [*CONTROLS]
        for name in CONTROLS:
            assert one.controls[name].score == other.controls[name].score
            for mine, theirs in zip(
                one.controls[name].scored, other.controls[name].scored, strict=True
            ):
                np.testing.assert_array_equal(mine.truth, theirs.truth)
                np.testing.assert_array_equal(mine.predicted, theirs.predicted)
        assert one.by_penalty == other.by_penalty
        assert str(one.probe) == str(other.probe)
    assert loaded.baseline == found.baseline
    assert list(loaded.baselines) == [*BASELINES[:2]]
    assert loaded.missing == found.missing
    assert loaded.confusion.counts.tolist() == found.confusion.counts.tolist()


def test_every_number_can_be_made_again_from_the_table(found, tmp_path):
    found.save(tmp_path)
    table = pq.read_table(tmp_path / "out_of_fold.parquet")
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    auroc = METRICS["auroc"].value

    def made_again(series: str) -> float:
        here = columns["series"] == series
        return auroc(columns["truth"][here], columns["predicted"][here])

    evidence = {str(layer.hook): (layer.score, layer.controls) for layer in found.layers}
    evidence["selected"] = found.selected, found.selection.controls
    repetitions = {"shuffled labels": 2, "random direction": 3, "random weights": 1}
    for name, (score, controls) in evidence.items():
        assert set(columns["hook"][columns["series"] == name]) == {name.replace("selected", "")}
        assert made_again(name) == pytest.approx(score.value, abs=1e-12)
        for control, number in repetitions.items():
            again = [made_again(f"{name}/{control} {one}") for one in range(number)]
            assert np.mean(again) == pytest.approx(controls[control].score.value)
    for name, baseline in found.baselines.items():
        assert made_again(name) == pytest.approx(baseline.score.value, abs=1e-12)


def test_equal_results_are_equal_files(found, tmp_path):
    one, other = found.save(tmp_path / "a"), found.save(tmp_path / "b")
    for path in sorted(one.rglob("*.*")):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


def test_an_altered_or_missing_file_is_named(found, tmp_path):
    found.save(tmp_path)
    probe = next((tmp_path / "probes").iterdir())
    whole = probe.read_bytes()
    probe.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SondeError, match="was altered"):
        ProbeResults.load(tmp_path)
    probe.unlink()
    with pytest.raises(SondeError, match="is missing"):
        ProbeResults.load(tmp_path)


def test_a_name_outside_the_folder_is_refused(found, tmp_path):
    found.save(tmp_path)
    given = read_json(tmp_path / "results.json")
    given["files"]["../secret"] = "0"
    write_json(tmp_path / "results.json", given)
    with pytest.raises(SondeError, match="outside its own folder"):
        ProbeResults.load(tmp_path)


def test_other_json_is_refused(tmp_path):
    with pytest.raises(SondeError, match="does not exist"):
        ProbeResults.load(tmp_path)
    write_json(tmp_path / "results.json", {"artifact": "song"})
    with pytest.raises(SondeError, match="does not hold probe results"):
        ProbeResults.load(tmp_path)


def test_an_older_format_says_what_it_lacks(found, tmp_path):
    found.save(tmp_path)
    given = read_json(tmp_path / "results.json")
    write_json(tmp_path / "results.json", {**given, "format": 1})
    with pytest.raises(SondeError, match=r"format 1; this sonde reads 2. .*Fit again"):
        ProbeResults.load(tmp_path)
    write_json(tmp_path / "results.json", {**given, "format": 3})
    with pytest.raises(SondeError, match="use that or a later one"):
        ProbeResults.load(tmp_path)
