"""Importing activations made elsewhere, and refusing what is unsafe or unclear."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sonde.activations import ActivationStore, import_activations, verify_store
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

IDS = [f"task{number}" for number in range(6)]


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return {layer: random.normal(size=(6, 4)).astype(np.float32) for layer in (11, 23)}


def check(found, x, ids=IDS):
    assert [str(hook) for hook in found.hooks] == ["blocks.11.resid_post", "blocks.23.resid_post"]
    assert found.rows.example.tolist() == ids
    for layer, values in x.items():
        assert np.array_equal(found.tensor(f"blocks.{layer}.resid_post").numpy(), values)


def test_an_npz_with_task_ids(tmp_path, x):
    path = tmp_path / "activations_prompt_last.npz"
    np.savez(path, task_ids=np.array(IDS), **{f"layer_{layer}": x[layer] for layer in x})
    found = import_activations(path, model="gemma-2-27b", position="prompt[-1]")
    check(found, x)
    assert found.origin.model == "gemma-2-27b"
    assert set(found.rows.position) == {"prompt[-1]"}
    assert found.rows.token.tolist() == [-1] * 6


@pytest.mark.parametrize(
    "key", ["layer_{}", "layer{}", "L{}", "{}", "resid_{}", "blocks.{}.resid_post"]
)
def test_keys_that_are_understood(tmp_path, x, key):
    path = tmp_path / "a.npz"
    np.savez(path, ids=np.arange(6), **{key.format(layer): x[layer] for layer in x})
    check(import_activations(path), x, [str(number) for number in range(6)])


def test_a_torch_file_with_integer_keys_and_a_list_of_ids(tmp_path, x):
    tensors = {layer: torch.from_numpy(values) for layer, values in x.items()}
    torch.save({**tensors, "ids": IDS}, tmp_path / "a.pt")
    check(import_activations(tmp_path / "a.pt"), x)


def test_safetensors_with_ids_in_the_metadata_or_given(tmp_path, x):
    tensors = {f"layer_{layer}": torch.from_numpy(values) for layer, values in x.items()}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"ids": json.dumps(IDS)})
    check(import_activations(tmp_path / "a.safetensors"), x)
    save_file(tensors, tmp_path / "b.safetensors", metadata={"note": "made by hand"})
    check(import_activations(tmp_path / "b.safetensors", ids=IDS), x)
    with pytest.raises(SondeError, match="no array of row ids"):
        import_activations(tmp_path / "b.safetensors")


def test_heads_have_a_width_of_their_own(tmp_path, x):
    hooks = {"heads": "blocks.3.head_out", "resid": "blocks.3.resid_post"}
    heads = np.ones((6, 2, 3), np.float32)
    np.savez(tmp_path / "a.npz", ids=IDS, heads=heads, resid=x[11])
    found = import_activations(tmp_path / "a.npz", hooks=hooks)
    assert found.tensor("blocks.3.head_out").shape == (6, 2, 3)
    more = hooks | {"other": "blocks.4.head_out"}
    np.savez(tmp_path / "b.npz", ids=IDS, heads=heads, resid=x[11], other=heads[:, :1])
    with pytest.raises(SondeError, match="'heads' has width 2×3, 'other' has width 1×3"):
        import_activations(tmp_path / "b.npz", hooks=more)


def test_an_npy_needs_its_hook_point(tmp_path, x):
    np.save(tmp_path / "a.npy", x[11])
    hooks = {"array": "blocks.3.mlp_out"}
    found = import_activations(tmp_path / "a.npy", ids=IDS, hooks=hooks)
    assert np.array_equal(found.tensor("blocks.3.mlp_out").numpy(), x[11])
    with pytest.raises(SondeError, match="not clear where 'array' was read"):
        import_activations(tmp_path / "a.npy", ids=IDS)


def test_it_becomes_a_store(tmp_path, x, monkeypatch):
    from sonde.activations import saving

    monkeypatch.setattr(saving, "SHARD_BYTES", 2 * 2 * 4 * 4)
    np.savez(tmp_path / "a.npz", ids=np.array(IDS), layer_11=x[11], layer_23=x[23])
    store = import_activations(tmp_path / "a.npz", out=tmp_path / "store")
    assert isinstance(store, ActivationStore) and len(store.manifest.shards) == 3
    check(store, x)
    assert store.input_order.tolist() == list(range(6))
    assert verify_store(tmp_path / "store") == []
    with pytest.raises(SondeError, match="is not empty"):
        import_activations(tmp_path / "a.npz", out=tmp_path / "store")


def test_rows_with_nan_are_dropped_and_listed(tmp_path, x):
    x[23][2, 1] = np.nan
    np.savez(tmp_path / "a.npz", ids=np.array(IDS), layer_11=x[11], layer_23=x[23])
    found = import_activations(tmp_path / "a.npz")
    assert found.rows.example.tolist() == IDS[:2] + IDS[3:]
    assert [(s.example, s.reason) for s in found.skipped] == [("task2", "non-finite")]
    assert len(found.tensor("blocks.11.resid_post")) == 5


class Harmful:
    def __reduce__(self):
        return print, ("this must never run",)


def test_pickled_objects_are_refused_and_never_run(tmp_path, x, capsys):
    objects = np.array([*IDS[:5], Harmful()], dtype=object)
    np.savez(tmp_path / "a.npz", task_ids=objects, layer_11=x[11])
    with pytest.raises(SondeError, match=r"'task_ids' holds Python objects.*dtype=str"):
        import_activations(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", objects)
    with pytest.raises(SondeError, match="holds Python objects"):
        import_activations(tmp_path / "a.npy")
    torch.save({"ids": IDS, "layer_1": Harmful()}, tmp_path / "a.pt")
    with pytest.raises(SondeError, match="holds more than tensors"):
        import_activations(tmp_path / "a.pt")
    assert "never run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "rest", "message"),
    [
        ({"ids": IDS[:5]}, {}, "5 ids for 6 rows"),
        ({"ids": [*IDS[:5], "task0"]}, {}, "rows 0 and 5 share the id 'task0'"),
        ({"ids": IDS, "task_ids": IDS}, {}, "several arrays of ids"),
        ({"ids": IDS, "labels": np.zeros(6)}, {}, "not clear where 'labels' was read"),
        ({"ids": IDS, "layer_12": np.zeros((5, 4))}, {}, "different numbers of rows"),
        ({"ids": IDS, "layer_12": np.zeros(6)}, {}, "'layer_12' is float64 of shape"),
        (
            {"ids": IDS, "layer_12": np.zeros((6, 5), np.float32)},
            {},
            "'layer_11' has width 4, 'layer_12' has width 5",
        ),
        (
            {"ids": IDS, "layer_12": np.zeros((6, 4), np.float16)},
            {},
            "'layer_11' is float32, 'layer_12' is float16",
        ),
        ({"ids": IDS, "11": np.zeros((6, 4))}, {}, "are both at blocks.11.resid_post"),
        ({"ids": IDS}, {"ids_key": "x"}, "not a key"),
        ({"ids": IDS}, {"ignore": ["labels"]}, "has no array 'labels'"),
        ({"ids": IDS}, {"hooks": {"layer_11": "block 11"}}, "not a hook point"),
    ],
)
def test_what_is_unclear_is_said(tmp_path, x, arrays, rest, message):
    np.savez(tmp_path / "a.npz", layer_11=x[11], **arrays)
    with pytest.raises(SondeError, match=message):
        import_activations(tmp_path / "a.npz", **rest)


def test_repeated_ids_and_ignored_arrays_when_asked(tmp_path, x):
    ids = ["a", "a", "b", "b", "c", "c"]
    np.savez(tmp_path / "a.npz", layer_11=x[11], layer_23=x[23], ids=ids, labels=np.zeros(6))
    check(import_activations(tmp_path / "a.npz", repeated=True, ignore=["labels"]), x, ids)


@pytest.mark.parametrize(
    "name", ["a.pkl", "missing.npz", "broken.npz", "broken.safetensors", "b.pt"]
)
def test_files_that_cannot_be_read_are_named(tmp_path, name):
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"not what the name says")
    with pytest.raises(SondeError, match=name):
        import_activations(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"layer_1": np.full((6, 4), "x")}, "<U1 of shape"),
        ({"layer_1": np.zeros((6, 0), np.float32)}, r"is empty: its shape is \[6, 0\]"),
        ({"layer_1": np.zeros((0, 4), np.float32), "ids": []}, "is empty"),
        ({"ids": np.array(IDS)[:, None]}, r"id of row 0 is \['task0'\]"),
        ({"ids": np.array([1, 2, np.nan, 4, 5, 6])}, "id of row 2 is nan"),
        ({"ids": np.array([*IDS[:5], ""])}, "id of row 5 is ''"),
    ],
)
def test_arrays_and_ids_that_say_nothing(tmp_path, x, arrays, words):
    path = tmp_path / "x.npz"
    np.savez(path, **({"layer_1": x[11], "ids": np.array(IDS)} | arrays))
    with pytest.raises(SondeError, match=words):
        import_activations(path)


def test_whole_numbers_other_byte_orders_and_sparse_tensors_are_understood(tmp_path, x):
    ids = list(map(str, range(6)))
    np.savez(
        tmp_path / "x.npz", ids=np.arange(6.0), **{str(k): v.astype(">f4") for k, v in x.items()}
    )
    check(import_activations(tmp_path / "x.npz"), x, ids)
    sparse = {k: torch.from_numpy(v).to_sparse().requires_grad_() for k, v in x.items()}
    torch.save({**sparse, "ids": torch.arange(6)}, tmp_path / "x.pt")
    check(import_activations(tmp_path / "x.pt"), x, ids)


def test_other_files_are_told_from_pickled_ones(tmp_path, x):
    (tmp_path / "x.npy").write_bytes(b"{}")
    with pytest.raises(SondeError, match=r"is not an \.npy file"):
        import_activations(tmp_path / "x.npy", ids=IDS)
    torch.save({"layer_1": torch.from_numpy(x[11]), "x": HookPoint}, tmp_path / "x.pt")
    with pytest.raises(
        SondeError, match=r"was not read: it holds sonde\.core\.hooks\.HookPoint\. W"
    ):
        import_activations(tmp_path / "x.pt", ids=IDS)
