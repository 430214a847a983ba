"""``sonde show`` and ``sonde verify`` of what ``ProbeResults.save`` wrote."""

import pytest

from planted import planted_classes
from sonde import probes
from sonde.cli.main import main
from sonde.cli.show import show_file
from sonde.core.errors import SondeError
from sonde.experiments.results import identify, verify


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    acts, label, _ = planted_classes(n=40)
    quick = {"resamples": 20, "shuffles": 1, "directions": 1}
    return probes.mean_difference(acts, label, **quick).save(tmp_path_factory.mktemp("saved"))


def test_the_folder_and_its_file_tell_every_layer(saved, capsys):
    for path in (saved, saved / "results.json"):
        assert identify(path).kind == "probe results"
        show_file(path)
        said = capsys.readouterr().out
        for words in ("selected", "shuffled labels", "blocks.0.resid_post", "ProbeResults.load("):
            assert words in said


def test_an_altered_file_is_named(saved, capsys):
    assert verify(saved) == []
    (probe, *_) = sorted((saved / "probes").iterdir())
    whole = probe.read_bytes()
    probe.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (problem,) = verify(saved)
    assert "was altered after it was written" in problem
    with pytest.raises(SystemExit) as ended:
        main(["show", str(saved)])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
    probe.write_bytes(whole)


@pytest.mark.parametrize("text", ["{", "[]", '{"artifact": "other"}'])
def test_another_results_json_is_not_taken_for_one(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(SondeError, match="nothing that sonde wrote"):
        identify(tmp_path)
