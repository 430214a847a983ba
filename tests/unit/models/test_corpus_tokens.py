"""A corpus of tokens: packed chunks whose tokens know their documents, whole after a kill."""

import json
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.corpus import CorpusTexts
from sonde.data.corpus_parts import is_held_out
from sonde.data.corpus_settings import CorpusSettings
from sonde.models import corpus_tokens_writer
from sonde.models.corpus_tokens import token_corpus
from sonde.models.tokenizers import _prepend, byte_tokenizer

TEXTS = [f"text {number} " * (1 + number % 9) for number in range(400)]


def with_bos():
    tokenizer = byte_tokenizer(320)
    _prepend(tokenizer.backend_tokenizer, "<|im_start|>")
    tokenizer.bos_token = "<|im_start|>"
    return tokenizer


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("texts") / "t.jsonl"
    found.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    return str(found)


def corpus(path, at, tokenizer=None, **given_settings):
    plain = {"context": 32, "held_out_tokens": 320, "texts": path}
    settings = CorpusSettings(**(plain | given_settings))
    return token_corpus(tokenizer or byte_tokenizer(320), settings, at)


def flat(found):
    return found.chunk(np.arange(found.n_chunks))[:, len(found.prefix) :].ravel()


@pytest.mark.parametrize("tokenizer", [byte_tokenizer(320), with_bos()])
@pytest.mark.parametrize(("separator", "said"), [("auto", "<|im_end|>"), ("none", ""), ("¶", "¶")])
def test_chunks_are_the_documents_one_after_another(path, tmp_path, tokenizer, separator, said):
    found = corpus(path, tmp_path, tokenizer, separator=separator)
    wanted = [text for text in TEXTS if not is_held_out(text, 0.05)]
    text = said.join(wanted) + said
    stretch = found.text_of(flat(found))
    assert text.startswith(stretch.rstrip("\N{REPLACEMENT CHARACTER}"))
    assert len(stretch) > 1000
    assert (found.chunk(np.array([0, 5]))[:, : len(found.prefix)] == found.prefix).all()
    assert len(found.prefix) == (tokenizer.bos_token is not None)


@pytest.mark.parametrize("tokenizer", [byte_tokenizer(320), with_bos()])
def test_each_token_knows_its_document_and_separators_are_known(path, tmp_path, tokenizer):
    found = corpus(path, tmp_path, tokenizer)
    for part, held in ((found, False), (found.held_out, True)):
        token = np.arange(part.n_chunks * 32)
        token = token[token % 32 >= len(part.prefix)]
        ids, documents, between = flat(part), part.documents_of(token), part.separators(token)
        assert (ids[between] == tokenizer.eos_token_id).all()
        assert not (ids[~between] == tokenizer.eos_token_id).any()
        for document in np.unique(documents)[:-1]:
            own = ids[(documents == document) & ~between]
            assert part.text_of(own) == TEXTS[document]
            assert is_held_out(TEXTS[document], 0.05) == held


def test_a_prefix_is_of_the_document_that_follows(path, tmp_path):
    found = corpus(path, tmp_path, with_bos())
    chunk = np.arange(found.n_chunks) * 32
    assert np.array_equal(found.documents_of(chunk), found.documents_of(chunk + 1))
    assert not found.separators(chunk).any()


def test_training_never_sees_a_text_that_is_held_out(tmp_path):
    lines = [*TEXTS[:200], *TEXTS[100:300], *TEXTS[:50]]  # many stand there twice
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in lines))
    found = corpus(str(path), tmp_path, held_out=0.3, held_out_tokens=100_000)
    parts = []
    for part in (found, found.held_out):
        documents = np.unique(part.documents_of(np.arange(part.n_chunks * 32)))
        parts.append({lines[document] for document in documents})
    assert all(parts)
    assert not parts[0] & parts[1]


def test_the_held_out_part_has_a_limit_and_what_is_beyond_is_counted(path, tmp_path):
    found = corpus(path, tmp_path, held_out=0.5, held_out_tokens=100)
    assert found.held_out.n_chunks == 3
    assert found.left_out[corpus_tokens_writer.BEYOND["held_out"]] > 100
    index = found.index
    kept = index.train.documents + index.held_out.documents
    assert kept + sum(found.left_out.values()) == index.documents == len(TEXTS)


def test_tokens_are_kept_in_the_smallest_integers(path, tmp_path):
    small = corpus(path, tmp_path)
    assert small.writer.parts["train"].dtype == np.uint16
    large = byte_tokenizer(320)
    large.add_tokens([f"<{number}>" for number in range(2**16)])
    found = corpus(path, tmp_path, large)
    assert found.writer.parts["train"].dtype == np.uint32
    assert np.array_equal(flat(found), flat(small))


def test_the_second_time_nothing_is_tokenised(path, tmp_path, monkeypatch):
    first = corpus(path, tmp_path)
    monkeypatch.setattr(CorpusTexts, "rows", None)
    again = corpus(path, tmp_path)
    assert np.array_equal(flat(again), flat(first))
    assert again.fingerprint == first.fingerprint
    assert again.held_out.fingerprint != again.fingerprint


@pytest.mark.parametrize("fails_at", [0, 1, 57, 399])
def test_what_was_tokenised_before_a_kill_is_found_again(path, tmp_path, monkeypatch, fails_at):
    whole = corpus(path, tmp_path / "whole")
    monkeypatch.setattr(corpus_tokens_writer, "CHARACTERS", 200)
    monkeypatch.setattr(corpus_tokens_writer, "COMMIT_SECONDS", -1.0)
    real = CorpusTexts.rows

    def failing(self, start=0):
        for row in real(self, start):
            if row.number == fails_at:
                raise SondeError("The connection is lost.")
            yield row

    with monkeypatch.context() as patch:
        patch.setattr(CorpusTexts, "rows", failing)
        with pytest.raises(SondeError, match="connection"):
            corpus(path, tmp_path / "killed")
    for file in (tmp_path / "killed").glob("*/*.*s"):
        with file.open("ab") as end:
            end.write(b"half of what is nev")
    starts = []
    monkeypatch.setattr(
        CorpusTexts, "rows", lambda self, start=0: (starts.append(start), real(self, start))[1]
    )
    again = corpus(path, tmp_path / "killed")
    assert starts[0] > fails_at - 30
    assert np.array_equal(flat(again), flat(whole))
    assert np.array_equal(flat(again.held_out), flat(whole.held_out))
    assert again.index == whole.index
    token = np.arange(again.n_chunks * 32)
    assert np.array_equal(again.documents_of(token), whole.documents_of(token))


def test_damaged_files_are_made_again(path, tmp_path):
    first = flat(corpus(path, tmp_path))
    ids = next(tmp_path.glob("*/train.ids"))
    ids.write_bytes(ids.read_bytes()[:-2])
    assert np.array_equal(flat(corpus(path, tmp_path)), first)


def test_chunks_are_there_before_the_texts_are_read_to_the_end(path, tmp_path, monkeypatch):
    whole = corpus(path, tmp_path / "whole", tokens=6400)
    monkeypatch.setattr(corpus_tokens_writer, "CHARACTERS", 100)
    real, more = CorpusTexts.rows, threading.Event()

    def halting(self, start=0):
        for row in real(self, start):
            if row.number == 100:
                assert more.wait(60)
            yield row

    monkeypatch.setattr(CorpusTexts, "rows", halting)
    found = corpus(path, tmp_path / "slow", tokens=6400)
    assert found.streamed
    assert found.n_chunks == 200
    first = found.chunk(np.array([1, 0]))
    assert found.held_out_begun.wait_for(1) == 1
    assert found.index.rows <= 100
    assert np.array_equal(first, whole.chunk(np.array([1, 0])))
    more.set()
    assert found.held_out_begun.wait_for(10**6) == found.held_out_begun.wait_for(10**5) >= 10
    assert np.array_equal(flat(found), flat(whole))
    assert np.array_equal(flat(found.held_out), flat(whole.held_out))


def test_another_process_reads_what_the_first_one_writes(path, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_tokens_writer, "CHARACTERS", 300)
    monkeypatch.setattr(corpus_tokens_writer, "COMMIT_SECONDS", -1.0)
    real, read = CorpusTexts.rows, []

    def slow(self, start=0):
        for row in real(self, start):
            read.append(row.number)
            time.sleep(0.001)
            yield row

    monkeypatch.setattr(CorpusTexts, "rows", slow)
    writing = corpus(path, tmp_path, tokens=6400)
    reading = corpus(path, tmp_path, tokens=6400)  # a file is locked anew each time it is opened
    assert np.array_equal(flat(reading), flat(writing))
    assert len(read) == len(set(read))


def test_too_little_text_is_refused_with_what_there_is(path, tmp_path):
    with pytest.raises(SondeError) as refused:
        corpus(path, tmp_path, tokens=10**6).chunk(np.array([20_000]))
    there = corpus(path, tmp_path).n_chunks * 32
    assert f"gives {there:,} tokens" in refused.value.what
    assert f"tokens: {there} and epochs: {-(-(10**6) // there)}" in refused.value.fix
    (tmp_path / "t.txt").write_text("short")
    with pytest.raises(SondeError, match="gives 0 tokens in whole chunks of 32"):
        corpus(str(tmp_path / "t.txt"), tmp_path)
    with pytest.raises(SondeError, match="Set tokens to at least context"):
        corpus(path, tmp_path, tokens=31)
    with pytest.raises(SondeError, match="one chunk has 2,000"):
        corpus(path, tmp_path, context=2000, held_out_tokens=2000)
    with pytest.raises(SondeError, match="Nothing of the texts is held out"):
        _ = corpus(path, tmp_path, held_out=0).held_out


def test_a_tokenizer_without_marks_needs_a_separator(path, tmp_path):
    bare = byte_tokenizer(320)
    bare.eos_token = None
    with pytest.raises(SondeError, match="separator: none"):
        corpus(path, tmp_path, bare)
    bare.bos_token = "<|im_start|>"
    assert bare.bos_token_id in flat(corpus(path, tmp_path, bare))


@pytest.fixture(scope="module")
def small(path, tmp_path_factory):
    return corpus(path, tmp_path_factory.mktemp("small"))


@given(text=st.text(max_size=12))
def test_pieces_are_the_text(small, text):
    ids = small.tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = small.pieces(ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == small.text_of(ids) == text


def test_documents_are_as_the_tokenizer_itself_makes_them(small):
    for number in (0, 7):
        between = [] if number == 0 else np.flatnonzero(flat(small) == small.tokenizer.eos_token_id)
        start = 0 if number == 0 else int(between[number - 1]) + 1
        text = [text for text in TEXTS if not is_held_out(text, 0.05)][number]
        ids = small.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert flat(small)[start : start + len(ids)].tolist() == ids


def test_texts_are_read_on_until_the_held_out_part_is_full(path, tmp_path):
    """Few training tokens do not mean that nothing is held out."""
    whole = corpus(path, tmp_path, held_out=0.2, held_out_tokens=300)
    few = corpus(path, tmp_path / "few", held_out=0.2, held_out_tokens=300, tokens=64)
    assert few.n_chunks == 64 // few.context
    numbers = np.arange(few.held_out.n_chunks)
    assert (few.held_out.chunk(numbers) == whole.held_out.chunk(numbers)).all()
    assert few.held_out.n_chunks == whole.held_out.n_chunks
    assert few.left_out[corpus_tokens_writer.BEYOND["train"]] > 10


def test_texts_that_are_too_short_are_named_as_soon_as_they_end(path, tmp_path):
    """Not at the chunk that is missing, which training may reach hours later."""
    found = corpus(path, tmp_path, tokens=10_000_000)
    found.writer.wait("train", None)
    with pytest.raises(SondeError, match="were asked for"):
        found.chunk(np.array([0]))
