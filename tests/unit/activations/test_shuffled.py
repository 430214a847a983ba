"""Shuffled rows of a model and a corpus: the model's own, each once, the same from any batch on."""

import json
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.activations import CorpusRows, ShuffleSettings
from sonde.activations import shuffled_passes as passes
from sonde.activations.shuffled_first import FirstRows
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.data.corpus_settings import CorpusSettings
from sonde.models.batch import pad_batch
from sonde.models.corpus_tokens import token_corpus
from sonde.models.forward import forward

HOOKS = tuple(
    map(parse_hook_point, ("blocks.1.resid_post", "blocks.0.mlp_out", "blocks.1.head_out"))
)
CONTEXT = 16


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, model):
    """Texts of some tens of tokens, read once, read twice, and the first of them read twice."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = [json.dumps({"text": f"text {number} " * (1 + number % 5)}) for number in range(60)]
    (folder / "t.jsonl").write_text("\n".join(lines))

    def corpus(**given_settings):
        chosen = CorpusSettings(texts=str(folder / "t.jsonl"), context=CONTEXT, **given_settings)
        return token_corpus(model.tokenizer, chosen, folder)

    twice = corpus(held_out=0.1, epochs=2)
    return {1: corpus(held_out=0.1), 2: twice, "short": corpus(epochs=2, tokens=30 * CONTEXT)}


def rows_of(model, corpus, hooks=HOOKS, **given_settings):
    plain = {"batch": 32, "round_rows": 100, "pass_tokens": 64}
    return CorpusRows(model, corpus, hooks, ShuffleSettings(**(plain | given_settings)))


def whole_of(model, corpus):
    """Activations and ids of all tokens, from a forward pass of each chunk alone."""
    ids = corpus.chunk(np.arange(corpus.n_chunks))
    found = [forward(model, pad_batch([one]), capture=HOOKS).activations for one in ids]
    return {hook: torch.cat([each[hook][0] for each in found]).flatten(1) for hook in HOOKS}, ids


def same(one, other):
    return torch.equal(one.token, other.token) and all(
        torch.equal(one.tensors[hook], other.tensors[hook]) for hook in one.tensors
    )


def test_rows_are_what_the_model_makes_of_the_corpus(model, corpora):
    source = rows_of(model, corpora[1], sink_ratio=None, separators=True, first=0)
    wanted, _ = whole_of(model, corpora[1])
    batches = list(source.batches())
    token = torch.cat([batch.token for batch in batches])
    for hook, width in source.widths.items():
        found = torch.cat([batch.tensors[hook] for batch in batches])
        assert found.shape == (len(token), width)
        torch.testing.assert_close(found, wanted[hook][token], rtol=1e-4, atol=1e-4)
    assert list(source.hooks) == sorted(HOOKS, key=lambda hook: hook.depth)


@pytest.mark.parametrize("epochs", [1, 2])
def test_each_row_that_is_kept_comes_once_an_epoch(model, corpora, epochs):
    corpus = corpora[epochs]
    source = rows_of(model, corpus, sink_ratio=None, separators=True, first=3)
    token = torch.cat([batch.token for batch in source.batches()]).numpy()
    all_rows = np.arange(corpus.n_chunks * CONTEXT)
    counts = np.bincount(token, minlength=len(all_rows))
    assert (counts[all_rows % CONTEXT < 3] == 0).all()
    assert counts.max() == epochs
    kept = (all_rows % CONTEXT >= 3).sum() * epochs
    assert len(token) == source.n_batches * 32 == kept // 32 * 32
    assert source.counts["left over"] == source.counts["repeated"] == 0
    assert source.counts["kept"] == source.counts["read"] == kept


def test_sinks_and_separators_are_left_out_and_all_is_accounted_for(model, corpora):
    corpus = corpora[1]
    source = rows_of(model, corpus, sink_ratio=1.6)
    token = torch.cat([batch.token for batch in source.batches()]).numpy()
    wanted, ids = whole_of(model, corpus)
    limits = source.limits.sink_norm
    assert set(limits) == set(HOOKS)
    sink = torch.stack([wanted[hook].norm(dim=1) >= limits[hook] for hook in HOOKS]).any(0).numpy()
    between = ids.ravel() == model.tokenizer.eos_token_id
    place = np.arange(ids.size) % CONTEXT
    counts = source.counts
    assert counts["separator"] == (between & (place > 0)).sum() > 0
    assert counts["sink"] == (sink & ~between & (place > 0)).sum() > 0
    assert counts["read"] == counts["kept"] + counts["separator"] + counts["sink"]
    assert not (sink | between | (place == 0))[token].any()
    emitted = counts["kept"] - counts["left over"] + counts["repeated"]
    assert 0 <= emitted - len(token) < 32
    repeats = len(token) - len(set(token.tolist()))
    assert repeats <= counts["repeated"] <= 0.05 * len(token)


@settings(max_examples=6)
@given(
    batch=st.integers(10, 90),
    round_rows=st.integers(30, 300),
    delay=st.integers(1, 4),
    window=st.none() | st.integers(1, 30),
    sink_ratio=st.none() | st.floats(1.2, 3),
    seed=st.integers(0, 2),
    start=st.floats(0, 1),
)
def test_batches_are_the_same_from_any_of_them_on(model, corpora, start, **given_settings):
    source = rows_of(model, corpora["short"], HOOKS[1:2], **given_settings)
    whole = list(source.batches())
    assert len(whole) == source.n_batches
    assert {len(one) for one in whole} == {given_settings["batch"]}
    first = int(start * len(whole))
    fresh = rows_of(model, corpora["short"], HOOKS[1:2], **given_settings)
    assert fresh.fingerprint == source.fingerprint
    again = list(fresh.batches(first))
    assert len(again) == len(whole) - first
    assert all(same(one, other) for one, other in zip(whole[first:], again, strict=True))


def test_resuming_runs_as_many_rounds_as_the_delay(model, corpora, monkeypatch):
    made = []
    real = CorpusRows.pieces
    monkeypatch.setattr(CorpusRows, "pieces", lambda self, n: (made.append(n), real(self, n))[1])
    source = rows_of(model, corpora[2], round_rows=90, delay=3)
    n_batches = source.n_batches
    next(source.batches(n_batches // 2))
    # And the beginning of the one that was under way.
    assert len(made) in (3, 4)
    assert made == list(range(made[0], made[0] + len(made)))
    assert made[0] > 3


def test_passes_are_spread_between_the_batches(model, corpora, monkeypatch):
    passed = []
    real = passes.forward
    monkeypatch.setattr(
        passes, "forward", lambda *args, **rest: (passed.append(0), real(*args, **rest))[1]
    )
    corpus = corpora["short"]
    source = rows_of(model, corpus, round_rows=240, batch=20, delay=2, pass_tokens=16)
    _ = source.n_batches
    between = []
    for _ in source.batches():
        between.append(len(passed))
        passed.clear()
    # A round of 16 passes gives 12 batches: 2 passes at most before each, but for the first round,
    # whose rows are spread over twice the time, and the second, which is made in half of it.
    assert max(between[12:]) <= 2
    assert max(between[1:12]) <= 4


def test_the_seed_changes_the_order_and_so_does_the_fingerprint(model, corpora):
    first = rows_of(model, corpora[1])
    others = [
        rows_of(model, corpora[1], seed=1),
        rows_of(model, corpora[2]),
        rows_of(model, corpora[1], HOOKS[:2]),
        rows_of(model, corpora[1], batch=31),
        rows_of(model, corpora[1], sink_ratio=None),
    ]
    assert len({one.fingerprint for one in [first, *others]}) == 6
    assert rows_of(model, corpora[1], pass_tokens=32).fingerprint == first.fingerprint
    assert not torch.equal(next(first.batches()).token, next(others[0].batches()).token)


def test_held_out_rows_come_in_order_and_training_never_gives_them(model, corpora):
    corpus = corpora[1]
    source = rows_of(model, corpus)
    held = torch.cat([batch.token for batch in source.held_out()]).numpy()
    assert np.array_equal(held, np.sort(held))
    trained = torch.cat([batch.token for batch in source.batches()]).numpy()
    seen = set(corpus.documents_of(trained).tolist())
    unseen = set(corpus.held_out.documents_of(held).tolist())
    assert unseen
    assert not seen & unseen
    first = torch.cat([batch.token for batch in source.held_out(chunks=1)]).numpy()
    assert np.array_equal(first, held[held < CONTEXT])
    assert not source.counts["read"] - len(np.unique(trained)) < 0
    for most in (1, CONTEXT, 10_000):
        watched = source.watched(most)
        assert watched.token.tolist() == held[:most].tolist()
        assert {len(x) for x in watched.tensors.values()} == {len(watched)}


def test_the_buffer_is_as_large_as_is_said(model, corpora):
    source = rows_of(model, corpora[2], delay=2, dtype="bfloat16")
    # Rounds of 6 chunks of 15 rows, of 32 + 32 + 2 x 16 numbers of 2 bytes, and 8 for the number.
    assert sum(source.widths.values()) == 96
    assert source.room.bytes == 3 * 90 * (96 * 2 + 8)
    assert next(source.batches()).tensors[HOOKS[0]].dtype == torch.bfloat16


def broken(monkeypatch, which):
    real = passes.forward

    def forward_with_nan(*args, **rest):
        done = real(*args, **rest)
        x = done.activations[HOOKS[1]]
        x[torch.arange(len(x)) % 60 == which] = float("nan")
        return done

    monkeypatch.setattr(passes, "forward", forward_with_nan)


def test_rows_that_are_not_finite_are_dropped_and_counted(model, corpora, monkeypatch):
    broken(monkeypatch, 7)
    source = rows_of(model, corpora[1], max_nonfinite=0.05)
    for batch in source.batches():
        assert all(bool(x.isfinite().all()) for x in batch.tensors.values())
    assert 0 < source.counts["non-finite"] < 0.05 * source.counts["read"]
    with pytest.raises(SondeError, match=r"more than max_nonfinite = 0\.001"):
        list(rows_of(model, corpora[1], max_nonfinite=0.001).batches())


def test_held_out_rows_that_are_not_finite_are_counted_and_many_are_refused(
    model, corpora, monkeypatch
):
    broken(monkeypatch, 7)
    source = rows_of(model, corpora[1], max_nonfinite=0.05)
    kept = sum(len(batch) for batch in source.held_out())
    counts = source.held_counts
    assert 0 < counts["non-finite"] < 0.05 * counts["read"]
    assert counts["kept"] == kept
    assert counts["read"] == sum(counts[key] for key in ("kept", "separator", "sink", "non-finite"))
    assert counts["read"] == corpora[1].held_out.n_chunks * (CONTEXT - 1)
    list(source.held_out())
    list(source.held_out(chunks=1))
    assert source.held_counts["kept"] == kept  # of all of them, once
    assert not source.counts
    source = rows_of(model, corpora[1], max_nonfinite=0.001)
    with pytest.raises(SondeError, match=r"held-out rows hold NaN or Inf, more than max_nonfinite"):
        list(source.held_out())
    with pytest.raises(SondeError, match="of the first rows hold NaN or Inf"):
        source.first_rows(500)


def test_first_rows_are_the_models_own_of_many_places_and_no_more_passes_than_they_need(
    model, corpora, monkeypatch
):
    wanted, _ = whole_of(model, corpora[2])
    passed, real = [], passes.forward
    monkeypatch.setattr(
        passes,
        "forward",
        lambda model, batch, **rest: (
            passed.append(batch.ids.numel()),
            real(model, batch, **rest),
        )[1],
    )
    source = rows_of(model, corpora[2], sink_ratio=None, dtype="bfloat16")
    _ = source.n_batches
    passed.clear()
    found = source.first_rows(150)
    assert len(found) == len(set(found.token.tolist())) == 150
    assert 150 < sum(passed) <= 150 * CONTEXT / (CONTEXT - 1) + 3 * CONTEXT  # separators, too
    for hook in HOOKS:
        there = wanted[hook][found.token].bfloat16()
        torch.testing.assert_close(found.tensors[hook], there, rtol=0.02, atol=0.02)
    assert len(set((found.token[:20] // CONTEXT).tolist())) > 4
    assert found.token.max() > corpora[2].n_chunks * CONTEXT // 2
    passed.clear()
    assert same(source.first_rows(150), found)
    assert not passed
    assert not source.counts
    small = rows_of(model, corpora[2], sink_ratio=None, dtype="bfloat16", pass_tokens=16)
    assert torch.equal(small.first_rows(150).token, found.token)
    other = rows_of(model, corpora[2], sink_ratio=None, seed=1)
    assert not torch.equal(other.first_rows(150).token, found.token)


def test_first_rows_are_as_many_as_an_epoch_has(model, corpora, monkeypatch):
    monkeypatch.setattr("sonde.activations.shuffled.KEPT", 0)
    source = rows_of(model, corpora[2], sink_ratio=1.6)
    found = source.first_rows(10_000)
    list(source.batches())
    assert len(found) == source.counts["kept"] / 2  # of two epochs
    assert same(source.first_rows(10_000), found)
    with pytest.raises(SondeError, match="All of the first rows are left out"):
        FirstRows(source.widths, 5, torch.float32).drawn(0)


def test_counts_of_a_run_that_went_on_are_those_of_one_that_did_not(model, corpora, tmp_path):
    def rows(file):
        source = rows_of(model, corpora[2], sink_ratio=1.6)
        source.made.keep(tmp_path / file, source.fingerprint)
        return source

    whole = rows("whole.jsonl")
    list(whole.batches())
    cut = rows("cut.jsonl")
    list(islice(cut.batches(), whole.n_batches // 2))
    assert 0 < cut.counts["read"] < whole.counts["read"]
    with (tmp_path / "cut.jsonl").open("a") as file:
        file.write('{"round":')  # a kill in the middle of a line
    again = rows("cut.jsonl")
    list(again.batches(whole.n_batches // 3))
    assert again.counts == whole.counts
    assert again.made.unknown == 0
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    list(again.batches(0))
    assert again.counts == whole.counts
    late = rows("other.jsonl")
    list(late.batches(whole.n_batches - 1))
    assert late.made.unknown > 0


def test_a_pass_that_does_not_fit_is_halved(model, corpora, monkeypatch):
    real, sizes = passes.forward, []

    def small(model, batch, **rest):
        sizes.append(len(batch.ids))
        if len(batch.ids) > 2:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return real(model, batch, **rest)

    monkeypatch.setattr(passes, "forward", small)
    source = rows_of(model, corpora[1], sink_ratio=None, separators=True, pass_tokens=128)
    token = torch.cat([batch.token for batch in source.batches()])
    assert max(Counter(token.tolist()).values()) == 1
    assert sizes[:3] == [8, 4, 2]
    assert sum(size > 2 for size in sizes) == 2


def test_what_does_not_fit_together_is_refused(model, corpora):
    with pytest.raises(SondeError, match="rows, and a batch has 10,000"):
        _ = rows_of(model, corpora[1], batch=10_000).n_batches
    with pytest.raises(SondeError, match="first 16 left out"):
        rows_of(model, corpora[1], first=16)
    with pytest.raises(SondeError, match="at 0 hook points"):
        rows_of(model, corpora[1], hooks=())
    with pytest.raises(SondeError, match="All rows of round"):
        list(islice(rows_of(model, corpora[1], sink_ratio=1.0000001, round_rows=1).batches(), 40))
