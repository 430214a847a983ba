"""Training on a GPU: rows come from the host, and 8-bit moments go on from a checkpoint."""

import shutil

import pytest
import torch

from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import ReLU, TopK
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import Adam, Running, Training, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
HOOK = "blocks.0.resid_post"
WIDE = {"sae": DictionarySettings(sources=(HOOK,), d_sae=512, sparsity=TopK(k=8))}


def source(device="cpu"):
    x = torch.randn(1000, 64, generator=torch.Generator().manual_seed(0))
    return TensorRows({parse_hook_point(HOOK): x.to(device)}, batch=50)


def weights(found):
    return found["sae"].dictionary.state_dict()


def test_rows_on_the_host_train_as_those_on_the_device():
    running = Running(device="cuda", progress=False)
    near, far = (train(source(one), WIDE, Training(), running=running) for one in ("cuda", "cpu"))
    for name, weight in weights(near).items():
        torch.testing.assert_close(weights(far)[name], weight)


def test_the_penalty_of_bfloat16_products_is_summed_in_float32():
    dense = {"sae": DictionarySettings(sources=(HOOK,), d_sae=512, sparsity=ReLU(l1=0.1))}
    running = Running(device="cuda", log=1, progress=False)
    exact, mixed = (
        train(source("cuda"), dense, Training(precision=one), running=running)["sae"].history[0]
        for one in ("float32", "bfloat16")
    )
    assert mixed["loss/penalty"] == pytest.approx(exact["loss/penalty"], rel=3e-4)


def test_moments_in_eight_bits_go_on_as_if_they_had_stayed(tmp_path):
    pytest.importorskip("bitsandbytes", reason="8-bit moments need the extra quantised")
    training = Training(optimiser=Adam(eight_bit=True))
    running = Running(tmp_path, store=5, keep=9, device="cuda", progress=False)
    first = train(source("cuda"), WIDE, training, running=running)
    for later in (15, 20):
        shutil.rmtree(tmp_path / f"step-{later:09d}")
    again = train(source("cuda"), WIDE, training, running=running)
    for name, weight in weights(first).items():
        # Moments that are forgotten move weights by some 1e-3.
        torch.testing.assert_close(weights(again)[name], weight, rtol=0, atol=1e-5)
