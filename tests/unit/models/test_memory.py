"""Memory: estimates by hand, what is free, and refusals that say what would fit."""

import json

import psutil
import pytest
import torch

from sonde.core.errors import SondeError
from sonde.models import memory
from sonde.models.entries import catalog
from sonde.models.families import FAMILIES
from sonde.models.loading import load
from sonde.models.memory import available_memory, check_fits, config_of, estimate
from sonde.models.spec import ModelSpec

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_those_of_the_loaded_model(family):
    model = load(f"random:{family}", device="cpu", check=False)
    held = sum(parameter.nbytes for parameter in model.hf.parameters())
    assert estimate(f"random:{family}", device="cpu").weights == held


def test_estimate_by_hand(tmp_path):
    """A llama of one block: d_model 8, 2 heads of 4, 1 group, d_ff 12, 300 tokens, untied.

    Embeddings and head 2·300·8 = 4,800; queries and output 2·64, keys and values 2·32,
    MLP 3·96 = 288, norms 3·8: 5,304 parameters.
    """
    keys = {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2}
    keys |= {"num_key_value_heads": 1, "intermediate_size": 12, "vocab_size": 300}
    keys |= {"num_hidden_layers": 1, "tie_word_embeddings": False, "pad_token_id": None}
    (tmp_path / "config.json").write_text(json.dumps(keys))
    found = estimate(f"random:{tmp_path}", device="cpu", dtype="bfloat16")
    assert found.n_parameters == 5304
    assert found.weights == found.peak_loading == 2 * 5304
    assert found.cache_per_token == 2 * 1 * 1 * 4 * 2
    assert found.per_token == (4 * 8 + 2 * (2 + 2) * 4 + 3 * 12) * 2 + 2 * 8 * 4


def test_half_the_bytes_in_half_the_width():
    wide, narrow = (estimate("gemma-2-2b", device="cpu", dtype=d) for d in ("float32", "bfloat16"))
    assert wide.weights == 2 * narrow.weights == 4 * catalog()["gemma-2-2b"].n_parameters


def test_loading_peaks_above_the_weights_by_the_tensors_in_flight():
    """A float32 checkpoint read as bfloat16: some tensors are held as stored while converted."""
    spec = ModelSpec(name="gemma-2-2b", device="cpu", dtype="bfloat16")
    found = memory.estimate_config(spec, config_of(spec), torch.bfloat16)
    embeddings, mlp = 4 * 256_000 * 2304, 4 * 2304 * 9216
    copies = found.peak_loading - found.weights
    assert embeddings <= copies <= embeddings + 3 * mlp


def test_packed_weights_leave_embeddings_and_head_alone():
    spec = ModelSpec(name="llama-3.1-8b", quantise=4, device="cpu")
    found = memory.estimate_config(spec, config_of(spec), torch.bfloat16)
    outside = 2 * 2 * 128_256 * 4096
    blocks = catalog()["llama-3.1-8b"].n_parameters - 2 * 128_256 * 4096
    assert found.weights == pytest.approx(outside + 0.516 * blocks, rel=1e-3)


def test_free_memory_is_no_more_than_the_machine_has():
    assert 0 < available_memory(CPU) <= psutil.virtual_memory().total


def test_a_containers_limit_counts(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    assert list(memory._container_limits(tmp_path)) == [450]
    (tmp_path / "memory.max").write_text("max\n")
    assert list(memory._container_limits(tmp_path)) == []


def test_an_older_containers_limit_counts(tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1000")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("400")
    (tmp_path / "memory" / "memory.stat").write_text("total_inactive_file 9")
    assert list(memory._container_limits(tmp_path)) == [600]


def refusal(monkeypatch, free, **settings):
    monkeypatch.setattr(memory, "available_memory", lambda *_, **__: int(free))
    spec = ModelSpec(**{"device": "cpu", **settings})
    with pytest.raises(SondeError) as caught:
        check_fits(spec, config_of(spec), CPU, memory.dtype_of(spec, CPU))
    return str(caught.value)


def test_refusal_offers_what_fits(monkeypatch):
    said = refusal(monkeypatch, 7e9, name="random:gemma-2-2b")
    assert "needs 10.5 GB to load, and 7.0 GB are free on cpu" in said
    assert "dtype='bfloat16' (5.2 GB)" in said


def test_refusal_offers_a_smaller_model_of_the_same_kind(monkeypatch):
    said = refusal(monkeypatch, 12e9, name="gemma-2-27b")
    assert "smaller model such as gemma-2-2b" in said
    assert "bfloat16" not in said


def test_refusal_without_way_out_says_so(monkeypatch):
    said = refusal(monkeypatch, 1e6, name="gemma-2-2b")
    assert said.endswith("Use a machine with more memory, or free some.")


def test_what_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda *_, **__: 11_000_000_000)
    spec = ModelSpec(name="random:gemma-2-2b", device="cpu")
    check_fits(spec, config_of(spec), CPU, torch.float32)
