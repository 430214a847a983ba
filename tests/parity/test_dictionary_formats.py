"""Formats of dictionaries, held against files and numbers that the libraries made.

``tests/peers/make_dictionary_golden.py`` makes them; these tests need no other library.
"""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sonde.dictionaries import Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.formats.content import HookPoints
from sonde.dictionaries.formats.converting import check_source, read_source, run_dictionary
from sonde.dictionaries.formats.recognising import recognised

GOLDEN = Path(__file__).parents[1] / "peers" / "dictionary_golden"
CASES = sorted(path.parent for path in GOLDEN.rglob("golden.safetensors"))
NAMES = [str(case.relative_to(GOLDEN)).split("/")[0] for case in CASES]
LIBRARIES = {
    "saelens": 18,
    "sparsify": 4,
    "dictionary-learning": 7,
    "gemma-scope": 2,
    "gemma-scope-2": 2,
    "llama-scope": 1,
}


def of(name):
    return CASES[NAMES.index(name)]


def source_of(case):
    return read_source(case, str(case), recognised(case), HookPoints())


def test_every_library_is_there():
    found = [recognised(case).name for case in CASES]
    assert {name: found.count(name) for name in found} == LIBRARIES


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_formula_and_dictionary_do_as_the_library_did(case):
    golden, source = load_file(case / "golden.safetensors"), source_of(case)
    # SAELens' loader leaves Llama Scope's latents on the scale of training.
    scale = math.sqrt(6) / 1.7 if source.format.name == "llama-scope" else 1.0
    rows = [golden["rows"].double()]
    for run in (source.reference, lambda x: run_dictionary(source.loaded.dictionary.double(), x)):
        found = run(rows)
        assert torch.equal(found.latents != 0, golden["latents"] != 0)
        assert 0 < int((golden["latents"] != 0).sum()) < golden["latents"].numel()
        torch.testing.assert_close(
            found.latents.float() * scale, golden["latents"], rtol=1e-4, atol=2e-5
        )
        torch.testing.assert_close(found.targets[0].float(), golden["made"], rtol=1e-4, atol=1e-4)
    assert all(one.found.holds for one in check_source(source))


@pytest.mark.parametrize(
    ("name", "sources", "targets", "kind"),
    [
        ("saelens-topk", "blocks.3.resid_pre", "", TopK),
        ("saelens-skip-transcoder", "blocks.3.resid_pre", "blocks.3.mlp_out", ReLU),
        ("saelens-matryoshka", "blocks.3.resid_pre", "", JumpReLU),
        ("saelens-hook-z", "blocks.3.head_out", "", JumpReLU),
        ("sparsify-sae", "blocks.3.resid_post", "", TopK),
        ("sparsify-skip", "blocks.3.mlp_normed", "blocks.3.mlp_module_out", TopK),
        ("dictionary-learning-gated", "blocks.3.resid_post", "", Gated),
        ("gemma-scope-res", "blocks.5.resid_post", "", JumpReLU),
        ("gemma-scope-transcoders", "blocks.5.mlp_normed_ungained", "blocks.5.mlp_out", JumpReLU),
        ("gemma-scope-2-sae", "blocks.5.resid_post", "", JumpReLU),
        ("gemma-scope-2-transcoder", "blocks.5.mlp_normed", "blocks.5.mlp_out", JumpReLU),
        ("llama-scope", "blocks.5.resid_post", "", JumpReLU),
    ],
)
def test_hook_points_and_sparsity_are_read(name, sources, targets, kind):
    found = source_of(of(name)).loaded.architecture
    assert found.sources == (sources,)
    assert found.targets == ((targets,) if targets else ())
    assert isinstance(found.sparsity, kind)


def test_models_are_named():
    named = {name: source_of(of(name)).loaded.origin.model for name in NAMES}
    assert named["gemma-scope-res"] == "google/gemma-2-2b"
    assert named["gemma-scope-2-sae"] == "google/gemma-3-1b-pt"
    assert named["dictionary-learning-relu"] == "EleutherAI/pythia-70m-deduped"
    assert named["saelens-topk"] == "tiny"


def test_matryoshka_groups_are_read_where_they_are_kept():
    assert source_of(of("dictionary-learning-matryoshka")).loaded.architecture.groups == (4, 4, 8)
    assert source_of(of("saelens-matryoshka")).loaded.architecture.groups == ()
