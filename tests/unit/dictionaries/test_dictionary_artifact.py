"""Scales folded into the weights, and files that give back what was written."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.unit.dictionaries.test_dictionary import SHAPES, SPARSITIES, architecture, random, rows

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import BatchTopK, TopK
from sonde.dictionaries.artifact import load_dictionary, save_dictionary
from sonde.dictionaries.folding import folded

ORIGIN = Origin(model="tiny", hooks=("blocks.2.resid_mid",))


@pytest.mark.parametrize("sparsity", SPARSITIES, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_folded_scales_change_nothing(shape, sparsity):
    made = architecture(shape, sparsity, (2, 4, 6), skip=shape not in ("SAE", "crosscoder"))
    one, sources = random(made).eval(), rows(made)
    scale_in = [0.5 + number for number in range(len(sources))]
    scale_out = [2.0 + number for number in range(len(made.outputs))]
    if getattr(sparsity, "by_norm", False) and len(made.outputs) > 1:
        scale_in, scale_out = [0.7] * len(scale_in), [0.7] * len(scale_out)
    if made.is_autoencoder:
        scale_out = scale_in
    expected = one(*[x * by for x, by in zip(sources, scale_in, strict=True)])
    raw = folded(one, scale_in, () if made.is_autoencoder else scale_out).eval()
    found = raw(*sources)
    for latents, other in zip(found.latents, expected.latents, strict=True):
        torch.testing.assert_close(latents.dense(), other.dense())
    for part, other, by in zip(found.prefixes, expected.prefixes, scale_out, strict=True):
        torch.testing.assert_close(part, other / by)


def test_scales_that_do_not_fit_are_refused():
    sae = random(architecture("SAE", TopK(k=2)))
    with pytest.raises(SondeError, match="do not fit 1 sources and 1 targets"):
        folded(sae, [1.0, 2.0])
    with pytest.raises(SondeError, match="Give one positive number"):
        folded(sae, [0.0])
    with pytest.raises(SondeError, match="are its targets"):
        folded(sae, [1.0], [2.0])
    several = random(architecture("cross-layer", BatchTopK(k=2, by_norm=True)))
    with pytest.raises(SondeError, match="by the norms of decoder rows would be others"):
        folded(several, [1.0] * 3, [1.0, 2.0, 1.0])


@pytest.mark.parametrize("sparsity", SPARSITIES, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_gives_back_the_dictionary(tmp_path, shape, sparsity):
    made = architecture(shape, sparsity, skip=shape not in ("SAE", "crosscoder"))
    one, sources = random(made).float(), [x.float() for x in rows(made)]
    one(*sources)  # BatchTopK learns its threshold
    one.eval()
    path = save_dictionary(one, tmp_path / "one.safetensors", ORIGIN, note="made by a test")
    again, header = load_dictionary(path)
    assert (header.architecture, header.origin, header.name) == (made, ORIGIN, made.name)
    for part, other in zip(one(*sources).targets, again(*sources).targets, strict=True):
        assert torch.equal(part, other)
    same = save_dictionary(again, tmp_path / "two.safetensors", ORIGIN, note="made by a test")
    assert path.read_bytes() == same.read_bytes()


def test_altered_files_are_named(tmp_path):
    one = random(architecture("SAE", TopK(k=2))).float()
    path = save_dictionary(one, tmp_path / "one.safetensors", ORIGIN)
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        header = file.metadata()
    tensors = load_file(path)
    tensors["blocks.0.encoder"] = tensors["blocks.0.encoder"][:, :3].contiguous()
    tensors["more"] = torch.zeros(1)
    save_file(tensors, path, metadata=header)
    with pytest.raises(
        SondeError, match=r"encoder \[12, 3\] for \[12, 4\], more \[1\] for nothing"
    ):
        load_dictionary(path)
    with pytest.raises(SondeError, match="does not exist"):
        load_dictionary(tmp_path / "none.safetensors")
    with torch.no_grad():
        one.parts[0].bias[0] = np.nan
    with pytest.raises(SondeError, match="has NaN or Inf, so it is not saved"):
        save_dictionary(one, tmp_path / "bad.safetensors", ORIGIN)
