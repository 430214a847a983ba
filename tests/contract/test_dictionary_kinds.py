"""Every combination of choices is trained for some steps, saved, loaded, and still the same."""

import itertools
import json

import pytest
import torch

from sonde.activations.origin import Origin
from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.artifact import load_dictionary, save_dictionary
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import Running, Training, train

SPARSITIES = (
    ReLU(l1=0.05),
    TopK(k=3),
    TopK(k=3, relu=False, by_norm=True),
    BatchTopK(k=3),
    JumpReLU(l0=0.001),
    Gated(l1=0.05),
)
SHAPES = {
    "SAE": (["blocks.1.resid_post"], [], False),
    "transcoder": (["blocks.1.resid_mid"], ["blocks.1.mlp_out"], False),
    "crosscoder": (["blocks.0.resid_post", "blocks.1.resid_post"], [], False),
    "two to one": (["blocks.0.resid_mid", "blocks.1.resid_mid"], ["blocks.1.mlp_out"], False),
    "cross-layer transcoder": (
        ["blocks.0.resid_mid", "blocks.1.resid_mid"],
        ["blocks.0.mlp_out", "blocks.1.mlp_out"],
        True,
    ),
}
ORIGIN = Origin(
    model="tiny", revision="main", model_fingerprint="0" * 16, dtype="float32", template="auto",
    data_fingerprint="0" * 16, hooks=(), positions=(), edits="",
)  # fmt: skip


@pytest.fixture(scope="module")
def source():
    """Rows at six places that share eight hidden causes, of unlike widths and scales."""
    generator = torch.Generator().manual_seed(0)
    causes = torch.rand(600, 8, generator=generator).mul(3).sub(2).relu()
    tensors = {}
    for number, name in enumerate(sorted({hook for s, t, _ in SHAPES.values() for hook in s + t})):
        mix = torch.randn(8, 6 + number, generator=generator)
        tensors[parse_hook_point(name)] = 10.0**number * (causes @ mix + 1)
    return TensorRows(tensors, batch=100, epochs=5)


def combinations():
    for shape, sparsity, groups in itertools.product(SHAPES, SPARSITIES, [(), (4, 4, 8)]):
        for skip in (False, True):
            if not (skip and not SHAPES[shape][1]):
                yield pytest.param(
                    shape,
                    sparsity,
                    groups,
                    skip,
                    id=f"{shape}-{sparsity.kind}-{'nested' if groups else 'flat'}-{skip}",
                )


@pytest.mark.parametrize(("shape", "sparsity", "groups", "skip"), list(combinations()))
def test_it_learns_and_comes_back_from_its_file(shape, sparsity, groups, skip, source, tmp_path):
    sources, targets, cross_layer = SHAPES[shape]
    asked = DictionarySettings(
        sources=tuple(sources), targets=tuple(targets), d_sae=16, sparsity=sparsity,
        groups=groups, skip=skip, cross_layer=cross_layer,
    )  # fmt: skip
    recipe = Training(lr=0.02, decay="none", dead_after=200, warmup=2)
    found = train(source, {"one": asked}, recipe, running=Running(log=29, progress=False))["one"]
    first, last = found.history[0], found.history[-1]
    assert last["loss/reconstruction"] < first["loss/reconstruction"]

    saved = save_dictionary(found.dictionary, tmp_path / "one.safetensors", ORIGIN)
    loaded, header = load_dictionary(saved)
    assert header.architecture == found.dictionary.architecture
    read = [source.tensors[parse_hook_point(hook)][:50] for hook in sources]
    made = [source.tensors[parse_hook_point(hook)] for hook in header.architecture.outputs]
    with torch.no_grad():
        before, after = found.dictionary(*read), loaded(*read)
    for one, other in zip(before.prefixes, after.prefixes, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(before.latents, after.latents, strict=True):
        assert torch.equal(one.active(), other.active())
    # It takes raw rows: what it makes of them is as far off as the last batch of training says.
    for one, target in zip(after.targets, made, strict=True):
        unexplained = (target[:50] - one).square().sum() / (
            (target - target.mean(dim=0)).square().sum() * 50 / len(target)
        )
        assert unexplained < max(1.0, 3 * last["loss/reconstruction"])
    json.dumps(header.model_dump(mode="json"))
