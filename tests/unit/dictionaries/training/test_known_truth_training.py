"""Every sparsity finds the causes of activations whose causes are known."""

import pytest
import torch

from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.known_truth import KnownTruth, TruthSettings
from sonde.dictionaries.recovery import recovery
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import Running, Training, train

HOOK = parse_hook_point("blocks.0.resid_post")
TRUTH = KnownTruth(TruthSettings(n_causes=48, d=32, active=3, zipf=0.3, noise=0.02))


@pytest.fixture(scope="module")
def rows():
    return TensorRows({HOOK: TRUTH.draw(20_000, 1).x}, batch=500, epochs=8)


@pytest.mark.parametrize(
    ("sparsity", "groups", "least"),
    [
        (TopK(k=3), (), 0.97),
        (BatchTopK(k=3), (), 0.97),
        (JumpReLU(threshold=0.5, bandwidth=1.0, l0=0.03), (), 0.95),
        (ReLU(l1=1.0), (), 0.95),
        (Gated(l1=2.0), (), 0.95),
        (BatchTopK(k=3), (16, 32), 0.9),
    ],
    ids=["topk", "batch_topk", "jumprelu", "relu", "gated", "matryoshka"],
)
def test_it_finds_the_causes_and_when_they_fire(rows, sparsity, groups, least):
    asked = DictionarySettings(sources=(str(HOOK),), d_sae=48, sparsity=sparsity, groups=groups)
    recipe = Training(lr=3e-3, warmup=20, penalty_warmup=50, dead_after=20_000)
    found = train(rows, {"one": asked}, recipe, running=Running(progress=False))["one"].dictionary
    test = TRUTH.draw(4_000, 2)
    with torch.no_grad():
        made = found(test.x)
    scores = recovery(
        TRUTH.directions, found.parts[0].decoder, test.strength > 0, made.latents[0].active()
    )
    assert scores.mcc > least
    assert scores.recall.mean() > 0.7
    assert scores.precision.mean() > 0.5
