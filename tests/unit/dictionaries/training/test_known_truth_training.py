"""Every sparsity finds the causes of activations whose causes are known."""

import pytest
import torch

from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import BatchTopK, Dictionary, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.initialise import initialise
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
    ("sparsity", "groups", "least", "precision"),
    [
        (TopK(k=3), (), 0.98, 0.7),
        (TopK(k=3, by_norm=True), (), 0.98, 0.7),
        (BatchTopK(k=3), (), 0.98, 0.9),
        (JumpReLU(threshold=0.5, bandwidth=1.0, l0=0.02), (), 0.98, 0.85),
        (ReLU(l1=0.3), (), 0.98, 0.7),
        (Gated(l1=1.0), (), 0.98, 0.9),
        (BatchTopK(k=3), (32, 64), 0.9, 0.75),
    ],
    ids=["topk", "topk by norm", "batch_topk", "jumprelu", "relu", "gated", "matryoshka"],
)
def test_it_finds_the_causes_and_when_they_fire(rows, sparsity, groups, least, precision):
    asked = DictionarySettings(sources=(str(HOOK),), d_sae=96, sparsity=sparsity, groups=groups)
    recipe = Training(lr=0.01, warmup=20)
    if not isinstance(sparsity, TopK | BatchTopK):
        recipe = Training(lr=0.01, warmup=20, penalty_warmup=50)
    found = train(rows, {"one": asked}, recipe, running=Running(progress=False))["one"].dictionary
    test = TRUTH.draw(4_000, 2)
    with torch.no_grad():
        made = found(test.x)
    scores = recovery(
        TRUTH.directions, found.parts[0].decoder, test.strength > 0, made.latents[0].active()
    )
    assert scores.mcc > least
    assert scores.recall.mean() > 0.7
    assert scores.precision.mean() > precision


def test_training_does_not_begin_at_the_causes(rows):
    """Equal seeds of causes and weights must not draw the same directions."""
    asked = DictionarySettings(sources=(str(HOOK),), d_sae=96, sparsity=TopK(k=3))
    begun = initialise(Dictionary(asked.architecture(rows.widths)), TRUTH.settings.seed)
    active = torch.zeros(1, 96, dtype=torch.bool)
    fires = torch.zeros(1, 48, dtype=torch.bool)
    found = recovery(TRUTH.directions, begun.parts[0].decoder, fires, active)
    assert found.mcc < 0.6
