"""Files for other tools: what is in them, in which unit, and what is refused."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_vectors import made
from safetensors import safe_open

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.vectors import VectorSet
from sonde.vectors.exports import FORMATS, export_vectors, read_control_vector


def two_layers():
    return VectorSet((made(layer=1), made((0.0, 1.0, 0.0), layer=2, typical_norm=20.0)))


def test_a_control_vector_has_the_keys_and_layers_that_llama_cpp_and_repeng_read(tmp_path):
    path = export_vectors(two_layers(), tmp_path / "c.gguf", to="gguf", coefficient=0.5)
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "controlvector"
    assert fields["controlvector.model_hint"] == "tiny"
    assert fields["controlvector.layer_count"] == 2
    tensors = {one.name: np.array(one.data) for one in reader.tensors}
    # half a typical norm of 10 along (0.6, 0, 0.8); half of 20 along the second axis
    assert tensors["direction.1"] == pytest.approx([3.0, 0.0, 4.0])
    assert tensors["direction.2"] == pytest.approx([0.0, 10.0, 0.0])
    assert "a scale of 1 adds 0.5 typical norms" in fields["sonde.unit"]


def test_a_control_vector_comes_back_whole(tmp_path):
    path = export_vectors(two_layers(), tmp_path / "c.gguf", to="gguf")
    again = read_control_vector(path)
    assert again.names == two_layers().names
    for there, back in zip(two_layers(), again, strict=True):
        assert torch.allclose(there.direction, back.direction)
        assert back.typical_norm == there.typical_norm
        assert back.origin == there.origin
        assert back.metrics == there.metrics


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_another_tools_file_keeps_its_directions_and_lengths(tmp_path_factory, seed, scale):
    path = tmp_path_factory.mktemp("other") / "theirs.gguf"
    rng = np.random.default_rng(seed)
    theirs = {layer: (scale * rng.normal(size=5)).astype(np.float32) for layer in (3, 7)}
    writer = gguf.GGUFWriter(str(path), "controlvector")
    writer.add_string("controlvector.model_hint", "llama")
    for layer, values in theirs.items():
        writer.add_tensor(f"direction.{layer}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_control_vector(path)
    assert found.layers == (3, 7)
    for one in found:
        assert (one.length * one.direction).numpy() == pytest.approx(theirs[one.layer], rel=1e-5)
        assert one.typical_norm is None
        assert one.method == "imported"


def test_easysteer_gets_its_own_keys_and_block_0(tmp_path):
    vectors = (made(layer=0), made(layer=1))
    path = export_vectors(vectors, tmp_path / "e.gguf", to="easysteer", unit="unit_length")
    fields = {name: one.contents() for name, one in gguf.GGUFReader(path).fields.items()}
    assert fields["controlvector.method"] == "mean_difference"
    native = json.loads(fields["controlvector.easysteer"])
    assert native["version"] == 1
    assert native["component"] == "hidden_states"
    assert dict(native["metadata"]["mapping"])["trait"] == "enthusiasm"
    assert "in the activations' own unit" in fields["sonde.unit"]
    assert read_control_vector(path).layers == (0, 1)


def test_steering_vectors_gets_a_tensor_a_layer_in_a_safe_file(tmp_path):
    path = export_vectors(two_layers(), tmp_path / "s.safetensors", to="steering-vectors")
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["sonde"])
        assert set(file.keys()) == {"1", "2"}
        assert file.get_tensor("1").tolist() == pytest.approx([6.0, 0.0, 8.0])
    assert said["layer_type"] == "decoder_block"
    assert "a scale of 1 adds 1 typical norms" in said["unit"]
    with pytest.raises(SondeError, match="would be a pickle"):
        export_vectors(two_layers(), tmp_path / "s.pt", to="steering-vectors")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_what_it_has_no_place_for(tmp_path, name):
    path = tmp_path / "x.gguf"
    for vectors, said in (
        ((made(), made(cleaning="top-1")), "Two vectors lie at layer 1"),
        ((made(hook=HookPoint(1, Site.ATTN_OUT)),), "lies at attn_out"),
        ((made(typical_norm=None),), "has no typical norm"),
        ((), "no vector to export"),
    ):
        with pytest.raises(SondeError, match=said):
            export_vectors(vectors, path, to=name)
    assert not Path(path).exists()


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(SondeError, match="no place for a control vector of block 0"):
        export_vectors((made(layer=0),), tmp_path / "c.gguf", to="gguf")
    with pytest.raises(
        SondeError, match=r"'ggfu' is not a format for vectors. Did you mean 'gguf'"
    ):
        export_vectors((made(),), tmp_path / "c.gguf", to="ggfu")
    (tmp_path / "no.gguf").write_bytes(b"GGUX" + bytes(40))
    with pytest.raises(SondeError, match="cannot be read as GGUF"):
        read_control_vector(tmp_path / "no.gguf")
    with pytest.raises(SondeError, match="does not exist"):
        read_control_vector(tmp_path / "absent.gguf")
