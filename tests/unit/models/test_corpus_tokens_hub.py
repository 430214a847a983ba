"""A corpus of the hub is of one commit, whatever becomes of the data set while it is read."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import HfApi

from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json
from sonde.data.corpus import CorpusTexts
from sonde.data.corpus_settings import CorpusSettings
from sonde.models import corpus_tokens_writer
from sonde.models.corpus_tokens import token_corpus
from sonde.models.tokenizers import byte_tokenizer

OLD, NEW = "a" * 40, "b" * 40


class Hub:
    """A hub with one data set, whose rows are others at each commit."""

    def __init__(self) -> None:
        self.commit, self.asked, self.read = OLD, 0, []

    def info(self, name, **rest):
        self.asked += 1
        return SimpleNamespace(sha=self.commit)

    def load(self, name, subset, *, split, revision, streaming):
        assert (name, split, streaming) == ("owner/texts", "train", True)
        self.read.append(revision)
        rows = [{"text": f"text {number} of {revision[:3]} " * 3} for number in range(120)]
        return SimpleNamespace(skip=lambda start: iter(rows[start:]))


@pytest.fixture
def hub(monkeypatch):
    found, module = Hub(), ModuleType("datasets")
    module.__dict__["load_dataset"] = found.load
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr(HfApi, "dataset_info", lambda self, name, **rest: found.info(name, **rest))
    monkeypatch.setattr(corpus_tokens_writer, "CHARACTERS", 200)
    monkeypatch.setattr(corpus_tokens_writer, "COMMIT_SECONDS", -1.0)
    return found


def corpus(at, **given):
    plain = {"texts": "hf:owner/texts", "context": 32, "held_out_tokens": 320, "held_out": 0.1}
    return token_corpus(byte_tokenizer(320), CorpusSettings(**(plain | given)), at)


def text(found):
    return found.text_of(found.chunk(np.arange(found.n_chunks)).ravel())


def killed(at, monkeypatch, fails_at=60):
    """Tokenise half of the texts."""
    real = CorpusTexts.rows

    def failing(self, start=0):
        for row in real(self, start):
            if row.number == fails_at:
                raise SondeError("The connection is lost.")
            yield row

    with monkeypatch.context() as patch:
        patch.setattr(CorpusTexts, "rows", failing)
        with pytest.raises(SondeError, match="connection"):
            corpus(at)


def test_what_was_begun_is_read_to_the_end_at_its_commit(hub, tmp_path, monkeypatch):
    whole = corpus(tmp_path / "whole")
    killed(tmp_path / "killed", monkeypatch)
    hub.commit, hub.asked = NEW, 0
    again = corpus(tmp_path / "killed")
    assert text(again) == text(whole)
    assert again.fingerprint == whole.fingerprint
    assert again.commit == again.held_out.commit == OLD
    assert hub.asked == 0 and set(hub.read) == {OLD}


def test_another_machine_sees_that_its_texts_are_others(hub, tmp_path):
    here = corpus(tmp_path / "here")
    hub.commit = NEW
    there = corpus(tmp_path / "there")
    assert here.key == there.key
    assert here.fingerprint != there.fingerprint
    assert here.held_out.fingerprint != there.held_out.fingerprint
    assert text(here) != text(there)
    pinned = corpus(tmp_path / "pinned", revision=OLD)
    assert pinned.commit == OLD and text(pinned) == text(here)


def test_a_whole_corpus_needs_no_hub(hub, tmp_path, monkeypatch):
    first = corpus(tmp_path)
    monkeypatch.undo()  # no data sets, and a client that is offline
    again = corpus(tmp_path)
    assert text(again) == text(first)
    assert again.fingerprint == first.fingerprint


def test_a_corpus_that_is_not_whole_says_that_the_hub_is_needed(hub, tmp_path, monkeypatch):
    def offline(self, name, **rest):
        raise OSError("offline")

    monkeypatch.setattr(HfApi, "dataset_info", offline)
    with pytest.raises(SondeError, match=r"At which commit .* the hub did not answer \(offline\)"):
        corpus(tmp_path)


def test_rows_of_a_commit_that_nobody_wrote_down_are_read_again(hub, tmp_path, monkeypatch):
    killed(tmp_path, monkeypatch)
    (file,) = tmp_path.glob("*/index.json")
    index = read_json(file)
    assert index.pop("commit") == OLD and index["rows"] > 20
    write_json(file, index)
    hub.commit = NEW
    parts = text(corpus(tmp_path)).split(" of ")[1:]
    assert len(parts) > 100 and {part[:3] for part in parts[:-1]} == {"bbb"}


def test_damaged_files_are_made_again_at_the_same_commit(hub, tmp_path):
    first = text(corpus(tmp_path))
    hub.commit = NEW
    ids = next(tmp_path.glob("*/train.ids"))
    ids.write_bytes(ids.read_bytes()[:-2])
    assert text(corpus(tmp_path)) == first


def test_a_process_that_reads_along_has_the_commit_of_the_one_that_writes(hub, tmp_path):
    writing = corpus(tmp_path, tokens=1600)
    hub.commit = NEW
    reading = corpus(tmp_path, tokens=1600)
    assert reading.commit == OLD
    assert text(reading) == text(writing)
    assert reading.fingerprint == writing.fingerprint
