"""Shuffled rows of a store: each once an epoch, and the same from any batch on."""

from collections import Counter

import numpy as np
import pytest
import torch

from sonde.activations import ShuffleSettings, StoreRows
from sonde.activations.extraction import extract
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
