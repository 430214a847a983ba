"""The journal of a search: what is whole is kept, what was cut off is not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers

from sonde.core.errors import SondeError
from sonde.steering.journal import Journal

ABOUT = {"model": "tiny", "settings": {"seed": 0}}


def test_entries_come_back(tmp_path):
    path = tmp_path / "search" / "journal.jsonl"
    Journal(path, ABOUT).keep("answer", {"a": {"text": "Ärger\n"}, "b": 1.5})
    again = Journal(path, ABOUT)
    assert again.get("answer", "a") == {"text": "Ärger\n"}
    assert again.get("answer", "b") == 1.5
    assert again.get("answer", "c") is None
    assert again.get("score", "a") is None
    assert again.values("answer") == [{"text": "Ärger\n"}, 1.5]


@settings(max_examples=40)
@given(cut=integers(1, 400))
def test_a_journal_cut_anywhere_holds_whole_groups(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    journal = Journal(path, ABOUT)
    for group in range(3):
        journal.keep("answer", {f"{group}{name}": group for name in "xyz"})
    text = path.read_bytes()
    path.write_bytes(text[: max(0, len(text) - cut)])
    again = Journal(path, ABOUT)
    held = again.values("answer")
    assert [held.count(group) for group in range(3)] in ([3, 3, 3], [3, 3, 0], [3, 0, 0], [0, 0, 0])
    # Going on writes the same file that was never cut.
    for group in range(3):
        if again.get("answer", f"{group}x") is None:
            again.keep("answer", {f"{group}{name}": group for name in "xyz"})
    assert path.read_bytes() == text


def test_another_search_is_refused_with_what_differs(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path, ABOUT)
    with pytest.raises(SondeError, match=r"of another search: it differs in settings\."):
        Journal(path, ABOUT | {"settings": {"seed": 1}})
    path.write_text(json.dumps({"rows": 3}) + "\n")
    with pytest.raises(SondeError, match="is not the journal of a search"):
        Journal(path, ABOUT)


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = Journal(None, ABOUT)
    journal.keep("answer", {"a": float("nan")})
    assert journal.get("answer", "a") is None  # as it would be read from a file
    assert list(tmp_path.iterdir()) == []
