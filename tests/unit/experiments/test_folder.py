import pytest

from sonde.core.errors import SondeError
from sonde.experiments.folder import ResultFolder

CONTENT = {
    "stage": "acts",
    "kind": "extract",
    "key": "k",
    "version": 1,
    "made_of": {},
    "summary": {"n": 3, "odd": float("nan")},
    "sonde_version": "0",
}


def finished(path, store="") -> ResultFolder:
    folder = ResultFolder(path)
    folder.begin(keep=False)
    (path / "table.txt").write_text("numbers")
    (path / "store").mkdir()
    (path / "store" / "manifest.json").write_text("{}")
    (path / "store" / "shard").write_text("many bytes")
    folder.finish(CONTENT, {"seconds": 1}, store=store)
    return folder


def test_a_folder_is_done_once_its_marker_is_there(tmp_path):
    folder = ResultFolder(tmp_path / "k")
    assert folder.done is None
    folder.begin(keep=False)
    assert folder.done is None
    done = finished(tmp_path / "k").done
    assert done.summary == {"n": 3, "odd": None}
    assert set(done.files) == {"table.txt", "store/manifest.json", "store/shard"}


def test_beginning_again_removes_what_a_killed_run_left_unless_it_resumes(tmp_path):
    folder = finished(tmp_path / "k")
    folder.begin(keep=True)
    assert folder.done is None
    assert (folder.path / "table.txt").exists()
    folder.begin(keep=False)
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize("file", ["table.txt", "store/shard", "store/manifest.json"])
def test_a_changed_file_is_found(tmp_path, file):
    folder = finished(tmp_path / "k")
    assert folder.problems() == []
    content = bytearray((folder.path / file).read_bytes())
    content[0] ^= 1
    (folder.path / file).write_bytes(content)
    assert [file in problem for problem in folder.problems()] == [True]


def test_missing_and_extra_files_are_found(tmp_path):
    folder = finished(tmp_path / "k")
    (folder.path / "table.txt").unlink()
    (folder.path / "stray").write_text("")
    assert len(folder.problems()) == 2


def test_a_store_answers_for_its_own_files(tmp_path):
    folder = finished(tmp_path / "k", store="store")
    assert set(folder.done.files) == {"table.txt", "store/manifest.json"}
    assert folder.problems(store="store") == []


def test_the_marker_holds_no_time(tmp_path):
    first, second = finished(tmp_path / "a"), finished(tmp_path / "b")
    assert (first.path / "done.json").read_bytes() == (second.path / "done.json").read_bytes()


def test_a_marker_that_cannot_be_read_is_named(tmp_path):
    folder = finished(tmp_path / "k")
    (folder.path / "done.json").write_text('{"stage": 1}')
    with pytest.raises(SondeError, match=r"done\.json is not the marker"):
        _ = folder.done
