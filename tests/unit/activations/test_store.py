"""The store: reading, resuming, refusing, and every kind of damage."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_runs import HOOK, break_rows, limited_memory, sentences, tiny_model

from sonde.activations import ActivationStore, extract, verify_store, writer
from sonde.activations import manifest as manifest_module
from sonde.activations import shards as shards_module
from sonde.activations.activations import RowTable
from sonde.core.edits import Add
from sonde.core.errors import SondeError

POSITIONS = ["prompt[-1]", "user[:3]"]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """A shard holds about 25 rows of three hook points."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 25 * 3 * 32 * 4)


def store_at(folder, model, data, **rest) -> ActivationStore:
    rest = {"positions": POSITIONS, "token_budget": 300} | rest
    found = extract(model, data, out=folder, **rest)
    assert isinstance(found, ActivationStore)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(rows: RowTable, order=slice(None)) -> dict[str, list]:
    return {name: getattr(rows, name)[order].tolist() for name in RowTable.__slots__}


def test_a_store_holds_what_memory_holds(tmp_path, model, data):
    memory = extract(model, data, positions=POSITIONS, token_budget=300)
    store = store_at(tmp_path / "a", model, data)
    assert len(store.manifest.shards) > 2
    assert store.hooks == memory.hooks and store.origin == memory.origin
    order = store.input_order
    assert table(store.rows, order) == table(memory.rows)
    for hook in store.hooks:
        assert torch.equal(store.tensor(hook)[torch.from_numpy(order)], memory.tensor(hook))
    assert verify_store(tmp_path / "a") == []
    assert store.skipped == () and len(store) == len(memory.rows)


def test_batches_give_every_row_in_order(tmp_path, model, data):
    store = store_at(tmp_path / "a", model, data)
    parts = list(store.batches([HOOK], size=7))
    assert torch.equal(torch.cat([part.tensors[HOOK] for part in parts]), store.tensor(HOOK))
    assert max(len(part.rows) for part in parts) == 7
    assert np.concatenate([p.rows.example for p in parts]).tolist() == store.rows.example.tolist()
    assert set(next(store.batches()).tensors) == set(store.hooks)


def test_two_runs_give_equal_bytes_and_a_third_does_nothing(tmp_path, model, data, monkeypatch):
    store_at(tmp_path / "a", model, data)
    store_at(tmp_path / "b", model, data)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.*")}
    limited_memory(monkeypatch, 0, RuntimeError("no pass is needed"))
    store_at(tmp_path / "a", model, data)
    assert contents(tmp_path / "a") == first
    assert times == {path: path.stat().st_mtime_ns for path in times}


def interrupt(monkeypatch, after: int):
    """Stop the run when it has asked for ``after`` passes."""
    from sonde.activations import passes

    real, done = passes.Passes._pass, []

    def stopping(self, members):
        if len(done) >= after:
            raise KeyboardInterrupt
        done.append(1)
        return real(self, members)

    monkeypatch.setattr(passes.Passes, "_pass", stopping)


@pytest.mark.parametrize("after", [0, 1, 3, 5, 7])
def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path, model, data, monkeypatch, after):
    store_at(tmp_path / "whole", model, data)
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(KeyboardInterrupt):
            store_at(tmp_path / "cut", model, data)
    with pytest.raises(SondeError, match="unfinished"):
        ActivationStore.open(tmp_path / "cut")
    assert "unfinished" in str(verify_store(tmp_path / "cut")[0])
    litter = tmp_path / "cut" / f"blocks.0.resid_post/.00000.safetensors.{os.getpid()}.tmp"
    litter.parent.mkdir(exist_ok=True)
    litter.write_bytes(b"half a shard")
    store_at(tmp_path / "cut", model, data)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_resumed_run_repeats_no_finished_shard(tmp_path, model, data, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            store_at(tmp_path / "a", model, data)
    manifest = manifest_module.read_manifest(tmp_path / "a")
    done = {name: (tmp_path / "a" / name).stat().st_mtime_ns for name in manifest.expected()}
    assert done
    store_at(tmp_path / "a", model, data)
    assert done == {name: (tmp_path / "a" / name).stat().st_mtime_ns for name in done}


def test_out_of_memory_is_written_into_the_plan(tmp_path, model, data, monkeypatch):
    limited_memory(monkeypatch, 250, MemoryError())
    memory = extract(model, data, positions=POSITIONS, token_budget=300)
    store = store_at(tmp_path / "a", model, data)
    plan = json.loads((tmp_path / "a" / "plan.json").read_text())
    assert plan["splits"] > 0 and verify_store(tmp_path / "a") == []
    order = torch.from_numpy(store.input_order)
    assert torch.equal(store.tensor(HOOK)[order], memory.tensor(HOOK))
    with monkeypatch.context() as patch:
        interrupt(patch, 6)
        with pytest.raises(KeyboardInterrupt):
            store_at(tmp_path / "b", model, data)
    store_at(tmp_path / "b", model, data)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_store_where_nothing_fits_in_one_shard(tmp_path, model, monkeypatch):
    data = sentences(30)
    lengths = sorted(len(model.render(example).ids) for example in data)
    limited_memory(monkeypatch, lengths[-4], MemoryError())
    store = store_at(tmp_path / "a", model, data)
    assert {each.reason for each in store.skipped} == {"out of memory"}
    assert set(store.rows.example) | {s.example for s in store.skipped} == {e.id for e in data}
    assert verify_store(tmp_path / "a") == []


def test_dropped_rows_and_skipped_examples_are_on_disk(tmp_path, model, data, monkeypatch):
    long = [*data, data[0].__class__("long", "word " * 600)]
    break_rows(monkeypatch, HOOK, {4, 17}, float("nan"))
    rest = {"too_long": "skip", "max_nonfinite": 0.1, "positions": "prompt[-1]"}
    memory = extract(model, long, token_budget=300, **rest)
    store = store_at(tmp_path / "a", model, long, **rest)
    assert store.skipped == memory.skipped
    assert [s.reason for s in store.skipped] == ["too long", "non-finite", "non-finite"]
    order = store.input_order
    assert table(store.rows, order) == table(memory.rows)
    assert torch.equal(store.tensor(HOOK)[torch.from_numpy(order)], memory.tensor(HOOK))
    again = store_at(tmp_path / "a", model, long, **rest)
    assert again.skipped == memory.skipped


def test_after_too_many_nonfinite_rows_a_higher_limit_goes_on(tmp_path, model, data, monkeypatch):
    break_rows(monkeypatch, HOOK, {4, 17}, float("nan"))
    with pytest.raises(SondeError, match="max_nonfinite"):
        store_at(tmp_path / "a", model, data, positions="prompt[-1]")
    store = store_at(tmp_path / "a", model, data, positions="prompt[-1]", max_nonfinite=0.1)
    assert len(store) == len(data) - 2


def test_rows_dropped_before_an_interruption_still_count(tmp_path, model, data, monkeypatch):
    break_rows(monkeypatch, HOOK, {4}, float("nan"))
    store = store_at(tmp_path, model, data, positions="prompt[-1]", max_nonfinite=0.1)
    whole = next(shard for shard in store.manifest.shards if shard and not shard.dropped)
    (tmp_path / next(iter(whole.files))).unlink()
    with pytest.raises(SondeError, match=r"1 of .* rows hold NaN or Inf"):
        store_at(tmp_path, model, data, positions="prompt[-1]", max_nonfinite=0.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"layers": 0}, "hooks was"),
        ({"positions": "prompt[-1]"}, "positions was"),
        ({"dtype": "bfloat16"}, "dtype was float32 and is bfloat16"),
        ({"template": "none"}, "template was chat and is none"),
        ({"too_long": "skip"}, "too_long was error and is skip"),
        ({"edits": [Add(HOOK, torch.ones(32))]}, "edits was none"),
        ({"data": 1}, "data was"),
        ({"model": 1}, r"model was tiny-llama \(llama0\) and is tiny-llama \(llama1\)"),
    ],
)
def test_a_store_made_in_another_way_is_refused(tmp_path, model, data, change, named):
    store_at(tmp_path / "a", model, data)
    before = contents(tmp_path / "a")
    change = dict(change)
    model = tiny_model(seed=1) if change.pop("model", None) else model
    data = sentences(40, seed=9) if change.pop("data", None) else data
    with pytest.raises(SondeError, match=named):
        store_at(tmp_path / "a", model, data, **change)
    assert contents(tmp_path / "a") == before


def test_a_folder_with_other_files_is_left_alone(tmp_path, model, data):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SondeError, match=r"thesis\.txt"):
        store_at(tmp_path, model, data)
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}
    with pytest.raises(SondeError, match="is a file"):
        store_at(tmp_path / "thesis.txt", model, data)


def test_two_runs_at_once_are_refused(tmp_path, model, data):
    with (
        manifest_module.locked(tmp_path / "a"),
        pytest.raises(SondeError, match="Another process"),
    ):
        store_at(tmp_path / "a", model, data)
    store_at(tmp_path / "a", model, data)


@pytest.mark.parametrize("name", ["blocks.1.resid_post/00001.safetensors", "rows.parquet"])
def test_a_truncated_file_is_named_and_can_be_remade(tmp_path, model, data, name):
    store = store_at(tmp_path / "a", model, data)
    whole = contents(tmp_path / "a")
    path = tmp_path / "a" / name
    path.write_bytes(whole[name][:-10])
    for act in (ActivationStore.open, lambda p: store_at(p, model, data)):
        with pytest.raises(SondeError, match=f"{path.name} is truncated.*Delete this file"):
            act(tmp_path / "a")
    assert [problem.file for problem in verify_store(tmp_path / "a")] == [path]
    path.unlink()
    with pytest.raises(SondeError, match=f"{path.name} is missing"):
        ActivationStore.open(tmp_path / "a")
    assert len(store_at(tmp_path / "a", model, data)) == len(store)
    assert contents(tmp_path / "a") == whole


def test_an_altered_shard_is_found_when_it_is_read(tmp_path, model, data):
    store_at(tmp_path / "a", model, data)
    path = tmp_path / "a" / "blocks.1.resid_post" / "00001.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    store = ActivationStore.open(tmp_path / "a")
    store.tensor("blocks.0.resid_post")
    with pytest.raises(SondeError, match=r"00001\.safetensors was altered"):
        store.tensor("blocks.1.resid_post")
    with pytest.raises(SondeError, match=r"00001\.safetensors was altered"):
        list(store.batches())


def test_an_altered_shard_of_an_unfinished_store_is_found(tmp_path, model, data, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 6)
        with pytest.raises(KeyboardInterrupt):
            store_at(tmp_path / "a", model, data)
    path = tmp_path / "a" / "blocks.0.resid_post" / "00000.safetensors"
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    with pytest.raises(SondeError, match=r"00000\.safetensors was altered.*Delete this file"):
        store_at(tmp_path / "a", model, data)
    path.unlink()
    store_at(tmp_path / "a", model, data)
    assert verify_store(tmp_path / "a") == []


def test_a_full_disk_keeps_finished_work_and_names_the_file(tmp_path, model, data, monkeypatch):
    store_at(tmp_path / "whole", model, data)
    real = shards_module.save_file

    def full(tensors, path, metadata):
        if "00002" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(shards_module, "save_file", full)
        with pytest.raises(SondeError, match=r"disk is full.*00002\.safetensors.*finished work"):
            store_at(tmp_path / "a", model, data)
    done = manifest_module.read_manifest(tmp_path / "a").shards
    assert [shard is not None for shard in done[:3]] == [True, True, False]
    store_at(tmp_path / "a", model, data)
    assert contents(tmp_path / "a") == contents(tmp_path / "whole")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small store that is only read, with an example left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONDE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(writer, "SHARD_BYTES", 10 * 3 * 32 * 4)
        folder = tmp_path_factory.mktemp("finished")
        store_at(folder, tiny_model(), [*sentences(8), "word " * 600], too_long="skip")
    return folder


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_flipped_bit_anywhere_is_found(finished, choose):
    files = [path for path in sorted(finished.rglob("*")) if path.is_file() and path.stat().st_size]
    path = choose.draw(st.sampled_from(files))
    raw = path.read_bytes()
    place = choose.draw(st.integers(0, len(raw) - 1))
    flipped = bytearray(raw)
    flipped[place] ^= 1 << choose.draw(st.integers(0, 7))
    path.write_bytes(flipped)
    try:
        problems = verify_store(finished)
    finally:
        path.write_bytes(raw)
    assert [problem.file for problem in problems] == [path]


def test_bytes_all_over_the_small_files_matter(finished):
    assert verify_store(finished) == []
    for name, step in (("manifest.json", 7), ("plan.json", 1), ("skipped.parquet", 5)):
        path = finished / name
        raw = path.read_bytes()
        for place in range(0, len(raw), step):
            flipped = bytearray(raw)
            flipped[place] ^= 0x01
            path.write_bytes(flipped)
            assert verify_store(finished), f"byte {place} of {name}"
        path.write_bytes(raw)
    assert verify_store(finished) == []


def test_a_stranger_and_a_filled_lock_are_found(finished):
    for name in ("notes.txt", "blocks.0.resid_post/00099.safetensors", ".lock"):
        path = finished / name
        path.write_text("x")
        assert [problem.file for problem in verify_store(finished)] == [path]
        path.write_bytes(b"") if name == ".lock" else path.unlink()


def test_no_store_is_said_so(tmp_path):
    with pytest.raises(SondeError, match="is not a store"):
        ActivationStore.open(tmp_path)
    assert "is not a store" in str(verify_store(tmp_path)[0])


def test_an_unknown_hook_point_is_named(finished):
    store = ActivationStore.open(finished)
    with pytest.raises(SondeError, match=r"no activations at blocks\.9\.mlp_out"):
        store.tensor("blocks.9.mlp_out")
