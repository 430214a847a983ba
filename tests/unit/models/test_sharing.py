"""Which rows share blocks, and that a pass with parting streams is one without."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from sonde.models.sharing import parting, sharing
from sonde.models.tiny import tiny_model


def test_levels_by_hand() -> None:
    """Six rows of two prompts; two of them part at block 1, all at block 2."""
    keys = {0: "aaabbb", 1: "aabccc", 2: "abcdef"}
    found = sharing([1, 2], lambda row, start: keys[start][row], 6)
    assert [level.start for level in found.levels] == [0, 1, 2]
    assert found.first.representatives == (0, 3)
    assert found.at(1).representatives == (0, 2, 3)
    assert found.at(1).of == (0, 0, 1, 2, 2, 2)
    assert found.at(1).streams.tolist() == [0, 0, 1, 2, 2, 2]
    assert found.at(7) is found.last
    assert found.last.is_whole


def test_sharing_little_is_not_worth_it() -> None:
    """Nine of ten rows are apart from block 0 on, so all are computed there."""
    found = sharing([2], lambda row, start: min(row, 8) if start == 0 else row, 10)
    assert [level.start for level in found.levels] == [0]
    assert found.first.is_whole


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=12))
def test_rows_of_a_stream_are_alike_and_a_stream_comes_from_one(kinds) -> None:
    found = sharing([1, 2], lambda row, start: kinds[row][: start + 1], len(kinds))
    for below, level in zip(found.levels, found.levels[1:], strict=False):
        for row, stream in enumerate(level.of):
            representative = level.representatives[stream]
            depth = found.levels.index(level) + 1
            assert kinds[row][:depth] == kinds[representative][:depth]
            assert below.of[row] == below.of[representative]


def test_a_pass_with_parting_streams_is_one_of_all_rows() -> None:
    model = tiny_model("gemma3")  # two kinds of masks and of rotary embeddings
    ids = torch.tensor([[65, 66, 67, 68]] * 3 + [[70, 71, 72, 73]] * 2)
    keys = {0: "aaabb", 1: "aabcc", 2: "abcde"}
    shared = sharing([1, 2], lambda row, start: keys[start][row], 5)
    with torch.no_grad():
        want = model.decoder(input_ids=ids, use_cache=False).last_hidden_state
        with parting(model, shared):
            few = ids[shared.first.rows]
            got = model.decoder(input_ids=few, use_cache=False).last_hidden_state
        assert_close(got, want)
        again = model.decoder(input_ids=few, use_cache=False).last_hidden_state
    assert again.shape[0] == 2  # the hooks are gone
