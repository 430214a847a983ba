import numpy as np
import pyarrow.parquet as pq
import pytest

from planted import as_examples, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json
from sonde.probes import ProbeResults
from sonde.stats import METRICS


@pytest.fixture(scope="module")
def found():
    acts, label, _ = planted_classes(layers=3, pairs=True, n=40)
    acts.tensors[acts.hooks[0]][5, 1] = float("nan")
    examples = as_examples(acts, label)[:-1]
    return probes.logistic(acts, examples, resamples=100, shuffles=2)


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
        np.testing.assert_array_equal(one.control_scored[1].truth, other.control_scored[1].truth)
        assert one.by_penalty == other.by_penalty
        assert str(one.probe) == str(other.probe)
    assert loaded.baseline == found.baseline


def test_every_number_can_be_made_again_from_the_table(found, tmp_path):
    found.save(tmp_path)
    table = pq.read_table(tmp_path / "out_of_fold.parquet")
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    auroc = METRICS["auroc"].value

    def made_again(series: str) -> float:
        here = columns["series"] == series
        return auroc(columns["truth"][here], columns["predicted"][here])

    for number, layer in enumerate(found.layers):
        assert set(columns["hook"][columns["series"] == f"layer {number}"]) == {str(layer.hook)}
        assert made_again(f"layer {number}") == layer.score.value
        controls = [made_again(f"control {shuffle} of layer {number}") for shuffle in range(2)]
        assert np.mean(controls) == pytest.approx(layer.control.value)
    assert made_again("selected") == found.selected.value


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
