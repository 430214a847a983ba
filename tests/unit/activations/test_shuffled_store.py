"""Shuffled rows of a store: each once an epoch, and the same from any batch on."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from sonde.activations import ShuffleSettings, StoreRows
from sonde.activations.activations import RowTable
from sonde.activations.extraction import extract
from sonde.activations.row_parts import parts_of
from sonde.activations.store import ActivationStore
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point

HOOKS = tuple(map(parse_hook_point, ("blocks.0.resid_post", "blocks.1.mlp_out")))


@pytest.fixture(scope="module")
def store(tmp_path_factory, model, data):
    """A store of ten shards or so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sonde.activations.writer.SHARD_BYTES", 2 * 32 * 4 * 60)
        patch.setenv("SONDE_CACHE", str(tmp_path_factory.mktemp("cache")))
        found = extract(
            model,
            data,
            hooks=[str(hook) for hook in HOOKS],
            positions="all.each",
            template="none",
            token_budget=64,
            progress=False,
            out=tmp_path_factory.mktemp("store"),
        )
    assert isinstance(found, ActivationStore)
    return found


def settings(**given):
    plain = {"batch": 16, "round_rows": 100, "first": 0, "sink_ratio": None}
    return ShuffleSettings(**(plain | given))


@pytest.mark.parametrize("delay", [1, 3])
def test_each_row_comes_once_an_epoch_with_its_own_values(store, delay):
    source = StoreRows(store, HOOKS, settings(delay=delay), epochs=2)
    assert len(source._rounds.rows) > 3
    batches = list(source.batches())
    assert len(batches) == source.n_batches == 2 * len(store) // 16
    assert {len(batch) for batch in batches} == {16}
    token = torch.cat([batch.token for batch in batches])
    assert max(Counter(token.tolist()).values()) == 2
    assert source.counts["left over"] == source.counts["repeated"] == 0
    for hook in HOOKS:
        found = torch.cat([batch.tensors[hook] for batch in batches])
        assert torch.equal(found, store.tensor(hook)[token])


def test_batches_are_the_same_from_any_of_them_on(store):
    source = StoreRows(store, HOOKS, settings(delay=2, sink_ratio=1.5, dtype="bfloat16"))
    whole = list(source.batches())
    for start in (0, 1, 7, len(whole) - 1, len(whole)):
        again = list(source.batches(start))
        assert len(again) == len(whole) - start
        for one, other in zip(whole[start:], again, strict=True):
            assert torch.equal(one.token, other.token)
            assert all(torch.equal(one.tensors[hook], other.tensors[hook]) for hook in HOOKS)
            assert one.tensors[HOOKS[0]].dtype == torch.bfloat16


def test_first_tokens_and_sinks_are_left_out(store):
    source = StoreRows(store, HOOKS, settings(first=2, sink_ratio=1.4))
    token = torch.cat([batch.token for batch in source.batches()]).numpy()
    assert store.rows.token[token].min() == 2
    norms = {hook: np.linalg.norm(store.tensor(hook).numpy(), axis=1) for hook in HOOKS}
    late = store.rows.token >= 2
    limits = source.limits.sink_norm
    sinks = late & ((norms[HOOKS[0]] >= limits[HOOKS[0]]) | (norms[HOOKS[1]] >= limits[HOOKS[1]]))
    assert source.counts["sink"] == sinks.sum() > 0
    assert not sinks[token].any()


def test_seeds_and_settings_change_order_and_fingerprint(store):
    sources = [
        StoreRows(store, HOOKS, settings()),
        StoreRows(store, HOOKS, settings(seed=1)),
        StoreRows(store, HOOKS[:1], settings()),
        StoreRows(store, HOOKS, settings(), epochs=2),
    ]
    assert len({source.fingerprint for source in sources}) == len(sources)
    first, second = (next(iter(source.batches())).token for source in sources[:2])
    assert not torch.equal(first, second)


def test_too_few_rows_and_absent_hook_points_are_refused(store):
    with pytest.raises(SondeError, match="rows, and a batch has 100,000"):
        _ = StoreRows(store, HOOKS, settings(batch=100_000)).n_batches
    with pytest.raises(SondeError, match=r"blocks\.2\.resid_post was asked for.*Extracted are"):
        StoreRows(store, (parse_hook_point("blocks.2.resid_post"),))


def grouped(rows, groups):
    """Rows of examples whose groups are named by number, and none where it is -1."""
    names = [f"t{groups[number % len(groups)]}" for number in range(rows)]
    place = np.arange(rows) % 3
    return replace(
        EMPTY,
        example=np.array([f"e{number // 3}" for number in range(rows)]),
        group=np.array(["" if name == "t-1" else name for name in names]),
        token=place.astype(np.int32),
    )


EMPTY = RowTable(*([np.zeros(0)] * len(RowTable.__slots__)))


@settings_of_hypothesis(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.lists(st.integers(-1, 9), min_size=1, max_size=12),
    st.floats(0, 0.99),
    st.integers(0, 3),
)
def test_no_group_is_on_both_sides(rows, groups, share, first):
    table = grouped(rows, groups)
    parts = parts_of(table, share, first)
    assert not (parts.trained & parts.held_out).any()
    assert ((parts.trained | parts.held_out) == (table.token >= first)).all()
    held = {*parts.unit[parts.held_out].tolist()}
    assert not held & {*parts.unit[parts.trained].tolist()}
    # More rows move none of those that are there.
    more = parts_of(grouped(rows + 7, groups), share, first)
    assert (more.held_out[:rows] == parts.held_out).all()
    for row in range(rows):
        name = str(table.group[row]) or f"example {table.example[row]}"
        assert parts.names[parts.unit[row]] == name
    if not share:
        assert not parts.held_out.any()


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_held_out_groups_are_in_no_batch_and_each_of_their_rows_once_beside(store, share):
    source = StoreRows(store, HOOKS, settings(first=1), epochs=2, held_out_share=share)
    batches = list(source.batches())
    assert len(batches) == source.n_batches == 2 * source.n_trained // 16
    trained = torch.cat([batch.token for batch in batches]).numpy()
    held = list(source.held_out())
    token = torch.cat([batch.token for batch in held]).numpy()
    assert token.tolist() == np.flatnonzero(source.held_out_rows).tolist()
    assert len(token) == source.n_held_out > 0
    assert not {*source.units_of(trained).tolist()} & {*source.units_of(token).tolist()}
    for hook in HOOKS:
        found = torch.cat([batch.tensors[hook] for batch in held])
        assert torch.equal(found, store.tensor(hook)[token])
    assert max(map(len, held)) <= 16
    watched = source.watched(5)
    assert watched.token.tolist() == token[:5].tolist()
    assert torch.equal(watched.tensors[HOOKS[0]], store.tensor(HOOKS[0])[token[:5]])
    assert source.n_trained + source.n_held_out == (store.rows.token >= 1).sum()
    names = source.unit_names[source.units_of(token)]
    rows = store.rows
    assert all(
        name == (group or f"example {example}")
        for name, group, example in zip(names, rows.group[token], rows.example[token], strict=True)
    )


def test_first_rows_are_drawn_from_several_shards(store):
    source = StoreRows(store, HOOKS, settings(first=1), epochs=2, held_out_share=0.2)
    found = source.first_rows(30)
    assert len(found) == len(set(found.token.tolist())) == 30
    assert not source.held_out_rows[found.token.numpy()].any()
    for hook in HOOKS:
        assert torch.equal(found.tensors[hook], store.tensor(hook)[found.token])
    ends = np.cumsum([shard.rows for shard in store.manifest.shards])
    assert len(set(np.searchsorted(ends, found.token[:20].numpy(), "right").tolist())) >= 3
    assert torch.equal(source.first_rows(30).token, found.token)
    assert not torch.equal(
        StoreRows(store, HOOKS, settings(first=1, seed=1)).first_rows(30).token, found.token
    )
    every = source.first_rows(10_000)
    assert len(every) == source.n_trained
    assert not source.counts
    few = StoreRows(store, HOOKS, settings(sink_ratio=1.4))
    norm = few.first_rows(50).tensors[HOOKS[0]].norm(dim=1)
    assert float(norm.max()) < few.limits.sink_norm[HOOKS[0]]


def test_rows_of_a_store_that_are_not_finite_are_counted_and_many_are_refused(store, monkeypatch):
    real = ActivationStore.shard

    def with_nan(self, point, number):
        rows = real(self, point, number).clone()
        rows[::20] = torch.nan
        return rows

    monkeypatch.setattr(ActivationStore, "shard", with_nan)
    source = StoreRows(store, HOOKS, settings(max_nonfinite=0.2), held_out_share=0.4)
    kept = sum(len(batch) for batch in source.held_out())
    counts = source.held_counts
    assert counts["read"] == source.n_held_out == kept + counts["non-finite"]
    assert 0 < counts["non-finite"] < 0.2 * counts["read"]
    source = StoreRows(store, HOOKS, settings(max_nonfinite=0.01), held_out_share=0.4)
    with pytest.raises(SondeError, match=r"held-out rows hold NaN or Inf, more than max_nonfinite"):
        list(source.held_out())
    with pytest.raises(SondeError, match="of the first rows hold NaN or Inf"):
        source.first_rows()


def test_resuming_with_a_held_out_part_gives_the_same_batches(store):
    source = StoreRows(store, HOOKS, settings(delay=2), held_out_share=0.5)
    whole = list(source.batches())
    again = list(source.batches(len(whole) // 2))
    for one, other in zip(whole[len(whole) // 2 :], again, strict=True):
        assert torch.equal(one.token, other.token)
    assert source.fingerprint != StoreRows(store, HOOKS, settings(delay=2)).fingerprint


def test_rows_of_unknown_places_are_no_first_tokens(store):
    rows = replace(store.rows, token=np.full(len(store), -1, np.int32))
    assert parts_of(rows, 0.0, first=1).trained.all()


def test_shares_that_leave_nothing_are_refused(store):
    with pytest.raises(SondeError, match="The share 1 of the rows"):
        _ = StoreRows(store, HOOKS, settings(), held_out_share=1.0).n_batches
    with pytest.raises(SondeError, match=r"No row of the store .* groups"):
        next(StoreRows(store, HOOKS, settings()).held_out())
    with pytest.raises(SondeError, match="none to train on"):
        _ = StoreRows(store, HOOKS, settings(first=10_000)).n_batches
