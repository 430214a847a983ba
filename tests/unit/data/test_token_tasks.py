"""Chunks, labels and picks, by hand and for every input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, sampled_from

from sonde.data.token_tasks import Candidates, Chunks, candidates, cut, pick

# Two documents: tokens 0 to 6, and 7 to 9.
IDS = np.array([5, 1, 5, 5, 2, 5, 5, 5, 3, 5], np.int32)
STARTS = np.array([0, 7, 10])


def test_documents_are_cut_and_labelled_as_by_hand():
    chunks = cut(IDS, STARTS, 3)
    # [5 1 5] [5 2 5] and a single token, which is left out; [5 3 5].
    assert chunks.start.tolist() == [0, 3, 7]
    assert chunks.stop.tolist() == [3, 6, 10]
    assert (chunks.document.tolist(), chunks.number.tolist()) == ([0, 0, 1], [0, 1, 0])
    next_ = candidates(IDS, chunks, [5], "next")
    # Token 2 of a chunk is asked what follows beyond it; the last of a document cannot be.
    assert next_.chunk.tolist() == [0, 0, 1, 1, 2]
    assert next_.token.tolist() == [1, 2, 1, 2, 1]
    assert next_.label.tolist() == [True, True, True, True, True]
    current = candidates(IDS, chunks, [1, 3], "current", min_context=0)
    assert current.label.tolist() == [False, True, False, *[False] * 3, False, True, False]
    assert current.rate == pytest.approx(2 / 9)


def test_a_chunk_that_stands_in_two_files_is_taken_once():
    ids = np.array([1, 2, 3, 4, 1, 2, 3, 9], np.int32)
    chunks = cut(ids, np.array([0, 4, 8]), 2)
    assert chunks.start.tolist() == [0, 2, 6]
    assert chunks.repeated == 1


def test_a_limit_takes_first_chunks_first():
    ids = np.arange(100, dtype=np.int32)
    chunks = cut(ids, np.array([0, 60, 80, 100]), 10, max_tokens=40)
    assert chunks.tokens == 40
    assert np.bincount(chunks.number).tolist() == [3, 1]
    again = cut(ids, np.array([0, 60, 80, 100]), 10, max_tokens=40)
    assert again.start.tolist() == chunks.start.tolist()


def test_documents_and_chunks_take_turns():
    # Document 0 has 40 positives in two chunks, document 1 has 2.
    chunk = np.repeat([0, 1, 2], [30, 30, 30]).astype(np.int32)
    token = np.tile(np.arange(30), 3).astype(np.int32)
    label = np.concatenate([token[:60] < 20, token[60:] < 2])
    found = Candidates(chunk, token, label)
    picked = pick(found, np.array([0, 0, 1]), 12)
    yes, no = picked[picked.label], picked[~picked.label]
    assert np.bincount(yes.chunk).tolist() == [2, 2, 2]
    assert np.bincount(np.array([0, 0, 1])[no.chunk]).tolist() == [4, 2]


@given(
    sizes=lists(integers(1, 30), min_size=1, max_size=8),
    length=integers(2, 9),
    rows=integers(2, 60),
    seed=integers(0, 5),
    sampling=sampled_from(["balanced", "natural"]),
    next_=booleans(),
)
def test_picks_hold_for_every_text(sizes, length, rows, seed, sampling, next_):
    ids = np.random.default_rng(seed).integers(0, 4, sum(sizes)).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    chunks = cut(ids, starts, length)
    assert (chunks.stop - chunks.start >= 2).all()
    assert (chunks.stop <= starts[chunks.document + 1]).all()
    found = candidates(ids, chunks, [1], "next" if next_ else "current")
    for chunk, token, label in zip(found.chunk, found.token, found.label, strict=True):
        asked = chunks.start[chunk] + token + next_
        assert label == (ids[asked] == 1)
        assert asked < starts[chunks.document[chunk] + 1]
    picked = pick(found, chunks.document, rows, sampling, seed=seed)
    assert len(picked) <= rows
    places = list(zip(picked.chunk.tolist(), picked.token.tolist(), strict=True))
    assert places == sorted(set(places))
    if sampling == "balanced":
        assert picked.label.sum() * 2 == len(picked)
        assert len(picked) == 2 * min(rows // 2, found.label.sum(), (~found.label).sum())
    else:
        assert len(picked) == min(rows, len(found))
    same = pick(found, chunks.document, rows, sampling, seed=seed)
    assert same.token.tolist() == picked.token.tolist()


def test_no_chunk_gives_no_candidate():
    none = np.empty(0, np.int64)
    found = candidates(IDS, Chunks(none, none, none, none, none), [5], "next")
    assert len(found) == 0
    assert np.isnan(found.rate)
