"""Exported control vectors in the tools that read them: the same logits, the same directions."""

import base64
import json
import os
import subprocess
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tests.peers.gguf_files import write_tiny

from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer
from sonde.vectors import Vector, VectorSet
from sonde.vectors.exports import export_vectors

PEERS = Path(os.environ.get("SONDE_PEERS", Path(__file__).parents[2] / ".venv-peers"))
HERE = Path(__file__).parents[1] / "peers"
FLOAT32_GAP = 1e-3  # of logits with a standard deviation of about 1
READ_REPENG = """
import json, sys
from repeng import ControlVector
found = ControlVector.import_gguf(sys.argv[1])
print(json.dumps({str(k): v.tolist() for k, v in found.directions.items()}))
found.export_gguf(sys.argv[2])
"""
READ_STEERING_VECTORS = """
import json, sys
import safetensors.torch
from steering_vectors import SteeringVector
loaded = safetensors.torch.load_file(sys.argv[1])
found = SteeringVector({int(layer): one for layer, one in loaded.items()})
print(json.dumps({str(k): v.tolist() for k, v in found.layer_activations.items()}))
"""


def peer(environment: str, package: str) -> Path:
    python = PEERS / environment / "bin" / "python"
    if not list((PEERS / environment).glob(f"lib/python3*/site-packages/{package}")):
        pytest.skip(f"{package} is not at {python}; `make peers` installs it (or set SONDE_PEERS)")
    return python


@pytest.fixture(scope="module")
def model():
    hf = tiny_hf("llama", seed=3)
    tokenizer = byte_tokenizer(hf.config.vocab_size)
    return wrap(hf, tokenizer, name="tiny", revision="", fingerprint="")


@pytest.fixture(scope="module")
def vectors(model):
    from sonde.activations.origin import Origin

    drawn = torch.Generator().manual_seed(0)
    found = []
    for layer in range(1, model.info.n_layers):
        direction = torch.randn(model.info.d_model, generator=drawn)
        found.append(
            Vector(
                method="random",
                hook=HookPoint(layer, Site.RESID_POST),
                position="response.mean",
                direction=direction / direction.norm(),
                origin=Origin(model="llama"),
                typical_norm=3.0 + layer,
            )
        )
    return VectorSet(tuple(found))


@pytest.mark.peer
@pytest.mark.parametrize("layers", [(1,), (2,), (1, 2)])
def test_llama_cpp_computes_what_our_edits_do(model, vectors, tmp_path, layers):
    python = peer("llama", "llama_cpp")
    chosen = vectors.select(layer=layers)
    write_tiny(tmp_path / "model.gguf", model.hf, "llama")
    path = export_vectors(chosen, tmp_path / "c.gguf", to="gguf", coefficient=0.7)
    directions = {
        one.name.removeprefix("direction."): base64.b64encode(one.data.tobytes()).decode()
        for one in gguf.GGUFReader(path).tensors
    }
    ids = [5, 17, 40, 8, 23, 11]
    request = {
        "ids": ids,
        "width": model.info.d_model,
        "blocks": model.info.n_layers,
        "directions": directions,
    }
    done = subprocess.run(
        [str(python), str(HERE / "steer_llama_cpp.py"), str(tmp_path / "model.gguf")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    packed = base64.b64decode(json.loads(done.stdout)["logits"])
    theirs = np.frombuffer(packed, np.float32)
    edits = [one.edit(0.7) for one in chosen]
    batch = pad_batch([ids])
    ours = forward(model, batch, edits=edits, logits=True).logits[0, -1].numpy()
    plain = forward(model, batch, logits=True).logits[0, -1].numpy()
    assert np.abs(ours - theirs).max() < FLOAT32_GAP
    assert np.abs(plain - theirs).max() > 30 * FLOAT32_GAP  # the vector does something


@pytest.mark.peer
def test_repeng_reads_the_file_and_we_read_its(vectors, tmp_path):
    from sonde.vectors.exports import read_control_vector

    python = peer("repeng", "repeng")
    path = export_vectors(vectors, tmp_path / "c.gguf", to="gguf", coefficient=2)
    back = tmp_path / "theirs.gguf"
    found = run(python, READ_REPENG, path, back)
    for one in vectors:
        assert found[str(one.layer)] == pytest.approx(one.raw(2).tolist(), rel=1e-6)
    again = read_control_vector(back)
    for one, theirs in zip(vectors, again, strict=True):
        assert theirs.hook == one.hook
        assert theirs.length == pytest.approx(one.raw_coefficient(2), rel=1e-5)
        assert torch.allclose(theirs.direction, one.direction, atol=1e-6)


@pytest.mark.peer
def test_steering_vectors_takes_the_file(vectors, tmp_path):
    python = peer("steering-vectors", "steering_vectors")
    path = export_vectors(vectors, tmp_path / "s.safetensors", to="steering-vectors")
    found = run(python, READ_STEERING_VECTORS, path)
    for one in vectors:
        assert found[str(one.layer)] == pytest.approx(one.raw(1).tolist(), rel=1e-6)


def run(python: Path, script: str, *paths: Path) -> dict[str, list[float]]:
    done = subprocess.run(
        [str(python), "-c", script, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
