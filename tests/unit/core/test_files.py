"""Files are whole or absent, JSON is canonical, fingerprints see every change."""

import hashlib
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.core.files import (
    CHUNK,
    canonical_json,
    fingerprint,
    jsonable,
    read_json,
    sha256_file,
    write_atomic,
    write_json,
    write_text,
)
from sonde.core.folders import cache_folder

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@given(values)
def test_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    finite = jsonable(value)
    write_json(path, value)
    assert read_json(path) == finite
    assert json.loads(canonical_json(value)) == finite


@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=6))
def test_the_order_of_keys_does_not_matter(value):
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert fingerprint(backwards) == fingerprint(value)


@given(values, values)
def test_other_values_have_other_fingerprints(one, other):
    same = canonical_json(one) == canonical_json(other)
    assert (fingerprint(one) == fingerprint(other)) == same


def test_canonical_json_worked_by_hand():
    value = {"b": (1, math.nan), "a": {"é": math.inf}, 3: None}
    assert canonical_json(value) == '{"3":null,"a":{"é":null},"b":[1,null]}'
    digest = hashlib.sha256(canonical_json(value).encode()).hexdigest()
    assert fingerprint(value) == digest[:16]


def test_half_a_character_has_a_fingerprint_too():
    assert fingerprint(["\ud83d"]) != fingerprint(["?"])


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(aside: Path) -> None:
        aside.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_atomic(path, fail)
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


def test_a_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "one\n")
    write_text(path, "zwei ü\r\n")
    assert path.read_bytes() == "zwei ü\r\n".encode()
    assert listing(path.parent) == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fill(aside: Path) -> None:
        aside.symlink_to("/dev/full")
        with aside.open("w") as file:
            file.write("more than fits")

    with pytest.raises(SondeError, match=r"The disk is full: .*a\.txt.*Free some space"):
        write_atomic(path, fill)
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_folder_names_the_file(tmp_path):
    tmp_path.chmod(0o500)
    for path in (tmp_path / "a.txt", tmp_path / "new" / "a.txt"):
        with pytest.raises(SondeError, match=r"a\.txt could not be written"):
            write_text(path, "text")


def test_what_is_no_json_is_an_error(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(SondeError, match=r"a\.json does not exist"):
        read_json(path)
    for content in (b"{", b"\xff", b""):
        path.write_bytes(content)
        with pytest.raises(SondeError, match=r"a\.json is not valid JSON"):
            read_json(path)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_the_hash_is_that_of_the_whole_file(tmp_path, size):
    path = tmp_path / "a.bin"
    content = bytes(number % 251 for number in range(size))
    path.write_bytes(content)
    assert sha256_file(path) == hashlib.sha256(content).hexdigest()


def test_the_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"
    monkeypatch.delenv("SONDE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_folder() == Path("/var/caches/sonde")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "sonde"
