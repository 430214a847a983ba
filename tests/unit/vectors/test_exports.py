"""Files for other tools: what is in them, in which unit, and what is refused."""

import json
from pathlib import Path
from typing import get_args

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
from sonde.vectors.exports import (
    FORMATS,
    ExportFormat,
    export_vectors,
    read_control_vector,
    read_export,
)
from sonde.vectors.exports.settings import ENDINGS


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


def test_the_tables_of_formats_are_one():
    assert set(FORMATS) == set(ENDINGS) == set(get_args(ExportFormat))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_says_what_it_holds(tmp_path, name):
    path = tmp_path / f"x{FORMATS[name].ending}"
    found = read_export(export_vectors(two_layers(), path, to=name, coefficient=-0.5))
    assert (found.format, found.model) == (name, "tiny")
    assert [one.layer for one in found.directions] == [1, 2]
    assert [one.vector for one in found.directions] == list(two_layers().names)
    assert [one.length for one in found.directions] == pytest.approx([5, 10])
    assert [one.typical_norm for one in found.directions] == [10, 20]
    assert [one.coefficient for one in found.directions] == pytest.approx([-0.5, -0.5])
    assert "adds -0.5 typical norms" in found.unit and str(path) in found.use[0]
    assert "what block 1 returns" in found.layers
    alone = read_export(export_vectors(two_layers(), path, to=name, unit="unit_length"))
    assert [one.length for one in alone.directions] == pytest.approx([1, 1])
    assert [one.coefficient for one in alone.directions] == pytest.approx([0.1, 0.05])


@settings(max_examples=20)
@given(coefficient=st.floats(-100, 100).filter(lambda one: abs(one) > 1e-6))
def test_vectors_come_back_whatever_the_coefficient(tmp_path_factory, coefficient):
    path = tmp_path_factory.mktemp("any") / "c.gguf"
    export_vectors(two_layers(), path, to="gguf", coefficient=coefficient)
    for there, back in zip(two_layers(), read_control_vector(path), strict=True):
        assert torch.allclose(there.direction, back.direction, atol=1e-6)
        assert back.labels == there.labels
    for one in read_export(path).directions:
        assert one.coefficient == pytest.approx(coefficient, rel=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_altered_is_refused(tmp_path, name):
    path = tmp_path / f"x{FORMATS[name].ending}"
    export_vectors(two_layers(), path, to=name)
    whole = path.read_bytes()
    eight = np.float32(8).tobytes()  # 10 x 0.8, the last coordinate of the first vector
    assert whole.count(eight) == 1
    path.write_bytes(whole.replace(eight, np.float32(9).tobytes()))
    with pytest.raises(SondeError, match="was altered after it was written"):
        read_export(path)


@pytest.mark.parametrize("coefficient", [0, 0.0, float("nan"), float("inf"), 1e38, 1e-60])
def test_a_coefficient_that_adds_nothing_or_too_much_is_refused(tmp_path, coefficient):
    with pytest.raises(SondeError, match=r"adds nothing, or no number|too large|too small"):
        export_vectors(two_layers(), tmp_path / "c.gguf", to="gguf", coefficient=coefficient)
