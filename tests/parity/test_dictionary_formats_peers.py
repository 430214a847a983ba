"""What sonde writes, run by the libraries that it is written for; and traps, tried on them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import (
    Architecture,
    BatchTopK,
    Dictionary,
    Gated,
    JumpReLU,
    ReLU,
    TopK,
)
from sonde.dictionaries.formats import format_called
from sonde.dictionaries.formats.content import Content, Loaded
from sonde.dictionaries.formats.converting import Source, run_dictionary, write_checked

pytestmark = pytest.mark.peer
PEERS = Path(os.environ.get("SONDE_PEERS", Path(__file__).parents[2] / ".venv-peers"))
HERE = Path(__file__).parents[1] / "peers"
PACKAGES = {
    "saelens": ("sae-lens", "sae_lens"),
    "sparsify": ("sparsify", "sparsify"),
    "dictionary-learning": ("dictionary-learning", "dictionary_learning"),
}
D, LATENTS = 6, 16
SAE = {"sources": ("blocks.3.resid_post",), "d_in": (D,), "d_sae": LATENTS}
TRANSCODER = {**SAE, "targets": ("blocks.3.mlp_out",), "d_out": (D,)}
HEADS = {**SAE, "sources": ("blocks.3.head_out",)}
SPARSITIES = (ReLU(), TopK(k=4), BatchTopK(k=4), JumpReLU(), Gated())
EVERY = [
    Architecture(**shape, sparsity=sparsity, **more)
    for sparsity in SPARSITIES
    for shape, mores in (
        (SAE, ({}, {"centred": False}, {"groups": (4, 12)}, {"normalise": "layer_norm"})),
        (TRANSCODER, ({}, {"skip": True}, {"normalise": "layer_norm"})),
        (HEADS, ({},)),
    )
    for more in mores
]


def python_of(library):
    environment, package = PACKAGES[library]
    if not list((PEERS / environment).glob(f"lib/python3*/site-packages/{package}")):
        pytest.skip(
            f"{package} is not in {PEERS / environment}; `make peers` installs it (or set "
            "SONDE_PEERS)"
        )
    return str(PEERS / environment / "bin" / "python")


def random_source(architecture, seed):
    torch.manual_seed(seed)
    dictionary = Dictionary(architecture).eval()
    for one in dictionary.parameters():
        one.data.normal_()
    for name, one in dictionary.parts[0].state_dict().items():
        if name == "threshold":
            one.uniform_(0.3, 1)
    sonde = format_called("sonde")
    loaded = Loaded(dictionary, Origin(model="tiny"))
    settings = {"architecture": architecture.model_dump(mode="json")}
    return Source(sonde, Content("it", settings, dictionary.state_dict()), loaded)


@pytest.mark.parametrize("library", PACKAGES)
def test_libraries_do_what_was_written_for_them(tmp_path, library):
    """Every architecture that a format can hold; of the others the reason is said."""
    python, target = python_of(library), format_called(library)
    written, refused = {}, []
    for number, architecture in enumerate(EVERY):
        source = random_source(architecture, number)
        folder = tmp_path / f"case-{number}"
        try:
            write_checked(source, target, folder)
        except SondeError as error:
            assert "cannot hold" in str(error)
            refused.append(architecture)
            continue
        written[folder] = source
    rows = {folder.name: 2 * torch.randn(8, D) for folder in written}
    save_file(rows, tmp_path / "rows.safetensors")
    script = str(HERE / "ask_dictionaries.py")
    command = [python, script, library, str(tmp_path / "rows.safetensors"), *map(str, written)]
    subprocess.run(command, check=True, capture_output=True)
    for folder, source in written.items():
        answer = load_file(folder / "answer.safetensors")
        found = run_dictionary(source.loaded.dictionary, [rows[folder.name]])
        assert torch.equal(found.latents != 0, answer["latents"] != 0), source.loaded.architecture
        close = {"rtol": 1e-4, "atol": 1e-4}
        torch.testing.assert_close(answer["latents"], found.latents, **close)
        torch.testing.assert_close(answer["made"], found.targets[0], **close)
    assert len(written) == {"saelens": 34, "sparsify": 5, "dictionary-learning": 16}[library]


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """The golden files, with one more of sparsify that has as many latents as the width."""
    folder = tmp_path_factory.mktemp("traps") / "golden"
    shutil.copytree(HERE / "dictionary_golden", folder)
    torch.manual_seed(5)
    tensors = {"encoder.weight": torch.randn(D, D), "encoder.bias": torch.randn(D)}
    tensors |= {"W_dec": torch.randn(D, D), "b_dec": 3 * torch.randn(D)}
    square = folder.parent / "square" / "layers.3"
    square.mkdir(parents=True)
    save_file(tensors, square / "sae.safetensors")
    settings = {"d_in": D, "num_latents": D, "k": 2}
    (square / "cfg.json").write_text(json.dumps(settings))
    rows = torch.randn(64, D)
    naive = format_called("sparsify").naive(Content("", settings, tensors), [rows])
    save_file({"rows": rows, "latents": naive.latents}, square / "golden.safetensors")
    long_rows(folder.parent / "llama-scope")
    return folder


def long_rows(folder):
    """Write Llama Scope's golden file with decoder rows of other lengths, and more rows."""
    shutil.copytree(HERE / "dictionary_golden" / "llama-scope", folder)
    path = next(folder.rglob("final.safetensors"))
    tensors = load_file(path)
    tensors["decoder.weight"] *= 0.2 + 3 * torch.rand(LATENTS)
    save_file(tensors, path)
    save_file({"rows": 0.5 * torch.randn(64, D)}, next(folder.rglob("golden.safetensors")))


def findings(library, golden):
    script = str(HERE / "dictionary_traps.py")
    command = [python_of(library), script, library, str(golden)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_traps_of_saelens(golden):
    found = findings("saelens", golden)
    assert "size mismatch" in found["sparsify, decoder normalised"]["refused"]
    square = found["the same with as many latents as the width"]
    assert not square["apply_b_dec_to_input"] and square["jaccard"] < 0.7
    assert found["and with normalize_decoder false"]["jaccard"] == 1
    scope = format_called("llama-scope")
    folder = next((golden.parent / "llama-scope").iterdir())
    naive = scope.naive(
        scope.load(folder, "it"), [load_file(folder / "golden.safetensors")["rows"]]
    )
    ours, theirs = naive.latents != 0, torch.tensor(found["llama scope"]) > 0
    shared = (ours & theirs).sum(1) / (ours | theirs).sum(1).clamp(min=1)
    assert float(shared.mean()) < 0.95
    values = found["explained variance"].values()
    assert max(values) - min(values) < 1e-4


def test_auxk_of_sparsify_does_not_reach_its_encoder(golden):
    found = findings("sparsify", golden)
    assert found["gradient of the encoder"] == 0
    assert found["gradient of dead latents' decoder rows"] > 0
