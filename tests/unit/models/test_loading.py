"""Loading by every kind of name, and what is said where a name or setting makes no sense."""

import json
import shutil

import pytest
import torch
from tests.peers.gguf_files import write_tiny

from sonde.core.errors import SondeError
from sonde.models.families import FAMILIES
from sonde.models.loading import load
from sonde.models.spec import ModelSpec
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer


@pytest.fixture
def folder(tmp_path):
    """A tiny llama as transformers saves it, with a tokenizer."""
    path = tmp_path / "tiny-llama"
    tiny_hf("llama").save_pretrained(path)
    byte_tokenizer(384).save_pretrained(path)
    return path


@torch.no_grad()
def logits(model, text="a b c"):
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    return model.hf(ids).logits


def same_weights(left, right):
    pairs = zip(left.hf.parameters(), right.hf.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_folder_loads_as_it_was_saved(folder):
    model = load(str(folder), device="cpu", check=False)
    torch.testing.assert_close(logits(model), tiny_logits(folder), rtol=0, atol=0)
    assert model.info.revision == "local"
    assert not model.hf.training
    assert not any(parameter.requires_grad for parameter in model.hf.parameters())


def tiny_logits(folder):
    ids = torch.tensor([byte_tokenizer(384)("a b c")["input_ids"]])
    with torch.no_grad():
        return tiny_hf("llama")(ids).logits


def test_a_gguf_file_loads(tmp_path):
    original = tiny_hf("llama", head_dim=8)
    write_tiny(tmp_path / "tiny.gguf", original, "llama")
    model = load(str(tmp_path / "tiny.gguf"), device="cpu", check=False)
    with torch.no_grad():
        expected = original(torch.tensor([model.tokenizer("a b c")["input_ids"]])).logits
    torch.testing.assert_close(logits(model), expected, rtol=0, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_loads_at_random(family):
    model = load(f"random:{family}", device="cpu", check=False)
    assert model.info.family == family
    assert model.tokenizer.decode(model.tokenizer("naïve 12")["input_ids"]) == "naïve 12"


def test_random_weights_follow_the_seed_and_leave_torchs_state_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again = (load("random:gpt2", device="cpu", check=False) for _ in range(2))
    other = load("random:gpt2", device="cpu", check=False, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert same_weights(first, again)
    assert not same_weights(first, other)
    assert first.info.fingerprint == again.info.fingerprint != other.info.fingerprint


def test_a_configuration_file_gives_random_weights_drawn_as_for_training(tmp_path):
    keys = {"model_type": "llama", **FAMILIES["llama"].tiny, "initializer_range": 0.5}
    keys |= {"vocab_size": 4000, "tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(keys))
    model = load(f"random:{tmp_path / 'config.json'}", device="cpu", check=False)
    embeddings = model.hf.get_input_embeddings().weight
    assert embeddings.std().item() == pytest.approx(0.5, rel=0.02)  # 128,000 draws
    assert embeddings is model.hf.get_output_embeddings().weight
    assert torch.equal(model.hf.model.norm.weight, torch.ones(32))
    assert torch.isfinite(logits(model)).all()


def test_a_random_folder_uses_its_tokenizer_and_keeps_its_embeddings(folder):
    real = load(str(folder), device="cpu", check=False)
    kept = load(f"random:{folder}", device="cpu", check=False, keep="embeddings")
    plain = load(f"random:{folder}", device="cpu", check=False)
    weight = "model.embed_tokens.weight"
    assert torch.equal(kept.hf.state_dict()[weight], real.hf.state_dict()[weight])
    assert not torch.equal(plain.hf.state_dict()[weight], real.hf.state_dict()[weight])
    query = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(kept.hf.state_dict()[query], plain.hf.state_dict()[query])
    assert kept.tokenizer.get_vocab() == real.tokenizer.get_vocab()
    assert kept.info.fingerprint != plain.info.fingerprint


def test_a_model_inside_one_that_sees_loads(tmp_path):
    tiny_hf("gemma3", wrapped=True).save_pretrained(tmp_path)
    byte_tokenizer(384).save_pretrained(tmp_path)
    model = load(str(tmp_path), device="cpu", check=False)
    assert model.info.family == "gemma3"
    assert model.info.d_model == 32


def test_missing_weights_are_an_error_and_not_noise(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SondeError, match=r"lacks 1 of the model's weights.*up_proj"):
        load(str(folder), device="cpu")


def test_weights_of_another_shape_are_an_error(folder):
    keys = json.loads((folder / "config.json").read_text()) | {"intermediate_size": 64}
    (folder / "config.json").write_text(json.dumps(keys))
    with pytest.raises(SondeError, match=r"other shapes|weights"):
        load(str(folder), device="cpu")


def test_a_truncated_weights_file_is_an_error(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(SondeError, match=r"cannot be read"):
        load(str(folder), device="cpu")


def test_a_folder_without_tokenizer_or_weights_is_an_error(folder):
    (folder / "model.safetensors").rename(folder / "else.bin")
    with pytest.raises(SondeError, match=r"could not be loaded"):
        load(str(folder), device="cpu")
    (folder / "else.bin").rename(folder / "model.safetensors")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(SondeError, match=r"holds no tokenizer"):
        load(str(folder), device="cpu")


@pytest.mark.parametrize("prefix", ["", "random:"])
def test_an_unknown_family_is_refused_before_weights_are_looked_for(tmp_path, prefix):
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    with pytest.raises(SondeError, match="type 'opt' are not supported"):
        load(f"{prefix}{tmp_path}")


def test_remote_code_is_off_unless_asked_for(folder):
    keys = {"model_type": "mystery", "auto_map": {"AutoModelForCausalLM": "modeling_mystery.M"}}
    (folder / "config.json").write_text(json.dumps(keys))
    (folder / "modeling_mystery.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(SondeError, match=r"modeling_mystery.py.*remote_code=True"):
        load(str(folder), device="cpu")


def test_the_fingerprint_of_a_folder_follows_its_content(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = load(str(folder), device="cpu", check=False).info.fingerprint
    assert load(str(copy), device="cpu", check=False).info.fingerprint == before
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert load(str(copy), device="cpu", check=False).info.fingerprint != before


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("smolm2-135m-instruct", {}, "Did you mean 'smollm2-135m-instruct'"),
        ("no/such/folder", {}, "neither a folder nor a GGUF"),
        ("missing.gguf", {}, "missing.gguf does not exist"),
        ("random:gema2", {}, "Did you mean 'gemma2'"),
        ("random:gpt2", {"revision": "main"}, "only repositories on the hub have revisions"),
        ("random:gpt2", {"keep": "embeddings"}, "there is no real model"),
        ("random:gpt2", {"quantise": 4}, "works for safetensors checkpoints only"),
        ("random:gpt2", {"device": "gpu"}, "is not a device"),
        ("random:gpt2", {"dtipe": "float32"}, "Did you mean 'dtype'"),
        ("smollm2-135m-instruct", {"keep": "embeddings"}, "random:smollm2-135m-instruct"),
        ("random:gemma-2-27b", {"dtype": "float32"}, "GB are free on cpu"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_remedy(name, settings, words):
    with pytest.raises(SondeError, match=words):
        load(name, **{"device": "cpu", **settings})


def test_quantised_weights_need_a_gpu(folder):
    with pytest.raises(SondeError, match=r"need a CUDA GPU"):
        load(ModelSpec(name=str(folder), quantise=4), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(SondeError, match=r"sees no CUDA GPU"):
        load("random:gpt2", device="cuda")


def test_the_embedded_model_answers(embedded_name):
    model = load(embedded_name, check=False, device="cpu")
    text = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    best = logits(model, text)[0, -1].argmax()
    assert model.tokenizer.decode(best) == "The"
    assert model.info.n_parameters == 134_515_008


def test_the_random_embedded_model_keeps_embeddings_and_tokenizer(embedded_name):
    real = load(embedded_name, check=False, device="cpu")
    kept = load(f"random:{embedded_name}", check=False, device="cpu", keep="embeddings")
    assert torch.equal(kept.hf.get_input_embeddings().weight, real.hf.get_input_embeddings().weight)
    assert not torch.equal(
        kept.hf.model.layers[3].mlp.up_proj.weight, real.hf.model.layers[3].mlp.up_proj.weight
    )
    assert kept.tokenizer("12 x")["input_ids"] == real.tokenizer("12 x")["input_ids"]
