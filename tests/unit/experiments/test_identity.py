"""Identity: the same weights have the same one wherever they lie, others another."""

import shutil

import pytest

from sonde.core.errors import SondeError
from sonde.experiments import identity
from sonde.experiments.identity import model_identity, resolved_dtype, with_path
from sonde.models.spec import ModelSpec
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_hf("qwen2").save_pretrained(folder)
    byte_tokenizer(384).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "resolved"),
    [
        ("./tiny", "{base}/tiny"),
        ("../tiny", "{parent}/tiny"),
        ("some.gguf", "{base}/some.gguf"),
        ("random:./config.json", "random:{base}/config.json"),
        ("random:llama", "random:llama"),
        ("smollm2-135m-instruct", "smollm2-135m-instruct"),
        ("google/gemma-3-270m", "google/gemma-3-270m"),
    ],
)
def test_only_a_path_starts_at_the_file(name, resolved, tmp_path):
    base = (tmp_path / "here").resolve()
    found = with_path(ModelSpec(name=name, seed=3), base)
    assert found.name == resolved.format(base=base, parent=base.parent)
    assert found.seed == 3


def test_a_folder_counts_by_its_content(saved, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    first, second = (model_identity(ModelSpec(name=str(path))) for path in (saved, copy))
    assert first == second
    assert str(saved) not in str(first)
    other = tmp_path / "other"
    shutil.copytree(saved, other)
    weights = other / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert model_identity(ModelSpec(name=str(other))) != first


def test_what_decides_the_activations_is_part_of_it_and_the_place_is_not(saved):
    spec = ModelSpec(name=str(saved), dtype="float32", device="cpu")
    same = model_identity(spec)
    assert model_identity(spec.model_copy(update={"device": "auto", "check": False})) == same
    assert model_identity(spec.model_copy(update={"dtype": "bfloat16"})) != same
    assert model_identity(spec.model_copy(update={"quantise": 4})) != same
    assert model_identity(spec.model_copy(update={"seed": 1})) == same  # real weights have none


def test_random_weights_differ_by_seed_and_configuration():
    one, two, other = (
        model_identity(ModelSpec(name=f"random:{family}", seed=seed))
        for family, seed in (("llama", 0), ("llama", 1), ("qwen2", 0))
    )
    assert one["seed"] == 0
    assert one["weights"] == two["weights"] != other["weights"]
    assert one != two


def test_auto_is_one_dtype_on_a_cpu():
    assert resolved_dtype(ModelSpec(name="random:llama", device="cpu")) == "float32"
    assert resolved_dtype(ModelSpec(name="random:llama", dtype="float16")) == "float16"


def test_a_commit_names_itself_and_a_branch_is_asked_for(monkeypatch):
    from sonde.models import hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    asked = []

    def look_up(repository, revision):
        asked.append((repository, revision))
        return hub.Listing(repository, revision, commit, {})

    monkeypatch.setattr(hub, "look_up", look_up)
    identity._weights.cache_clear()
    fixed = model_identity(ModelSpec(name="lab/tiny", revision=commit))
    assert asked == []
    branch = model_identity(ModelSpec(name="lab/tiny", revision="main"))
    assert branch["weights"] == fixed["weights"] == {"name": "lab/tiny", "revision": commit}
    model_identity(ModelSpec(name="lab/tiny", revision="main"))
    assert asked == [("lab/tiny", "main")]  # once a process
    identity._weights.cache_clear()


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch):
    from sonde.models import hub

    asked = []

    def look_up(repository, revision):
        asked.append(repository)
        raise SondeError("The hub cannot be reached.")

    monkeypatch.setattr(hub, "look_up", look_up)
    identity._weights.cache_clear()
    for _ in range(2):
        with pytest.raises(SondeError, match="cannot be reached"):
            model_identity(ModelSpec(name="lab/away"))
    assert asked == ["lab/away"]
    identity._weights.cache_clear()
