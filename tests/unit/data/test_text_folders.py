"""Folders of text: what is read, what is left out, and why."""

import pytest

from sonde.core.errors import SondeError
from sonde.data.text_folders import STANDARD_LIBRARY, named_library, read_texts_of

MODULE = '''\
"""The module says this."""
NOT = """a string, no documentation"""

class A:
    """A class."""
    def f(self):
        """A method."""

def g():
    return 1
'''


@pytest.fixture
def folder(tmp_path):
    files = {
        "b.txt": b"second",
        "a.md": "\ufefffirst, with a mark before it".encode(),
        "deep/er/c.py": MODULE.encode(),
        "deep/none.py": b"x = 1\n",
        "broken.py": b"def (:\n",
        "latin.txt": "café".encode("latin-1"),
        "empty.txt": b" \n",
        "again.txt": b"second",
        "data.csv": b"a,b\n",
        "half.py": b'"""half \\ud800 a character"""\n',
        ".hidden/d.txt": b"never seen",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.txt").symlink_to(tmp_path / ".hidden" / "d.txt")
    return tmp_path


def test_each_file_is_a_document_or_left_out_with_its_reason(folder):
    found = read_texts_of(folder)
    assert {one.name: one.text for one in found.documents} == {
        "a.md": "first, with a mark before it",
        "again.txt": "second",
        "deep/er/c.py": "The module says this.\n\nA class.\n\nA method.",
    }
    assert {one.file: one.reason for one in found.left_out} == {
        "b.txt": "same text as another file",
        "broken.py": "not Python",
        "data.csv": "other ending",
        "deep/none.py": "no documentation strings",
        "empty.txt": "empty",
        "half.py": "half a character",
        "latin.txt": "not UTF-8",
        "link.txt": "link",
    }
    assert "3 of 11 files read" in str(found)
    assert "byte 4 is 0xe9" in next(one.detail for one in found.left_out if "UTF" in one.reason)


def test_the_fingerprint_follows_the_texts_and_not_the_place(folder, tmp_path_factory):
    before = read_texts_of(folder).fingerprint
    elsewhere = tmp_path_factory.mktemp("other") / "moved"
    folder.rename(elsewhere)
    assert read_texts_of(elsewhere).fingerprint == before
    (elsewhere / "again.txt").write_text("third")
    assert read_texts_of(elsewhere).fingerprint != before


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path / "absent", "does not exist"),
        (lambda path: path, r"gives no text. .*1 other ending"),
        (lambda path: path / "x.csv", "is a file"),
    ],
)
def test_a_folder_without_text_is_named(tmp_path, make, said):
    (tmp_path / "x.csv").write_text("a\n")
    with pytest.raises(SondeError, match=said):
        read_texts_of(make(tmp_path))


def test_the_library_of_another_version_is_refused():
    assert named_library(STANDARD_LIBRARY) == named_library(named_library(STANDARD_LIBRARY))
    with pytest.raises(SondeError, match=r"2\.7\.1.* was asked for; this is standard library of"):
        named_library("standard library of Python 2.7.1")
