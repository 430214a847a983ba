"""Losses with reconstructions in place, against the whole model's own logits."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from sonde.core.edits import Replace, Scope
from sonde.core.hooks import parse_hook_point
from sonde.evals import patched_pass, reconstruction_loss
from sonde.evals.arms import dictionary_arm
from sonde.evals.patched_pass import captures, measured_limits
from sonde.evals.reconstruction import evaluate
from sonde.evals.reconstruction_loss import losses
from sonde.models.batch import TokenBatch
from sonde.models.forward import forward

HERE = "blocks.1.resid_post"
HOOK = parse_hook_point(HERE)


def whole(model, texts, edits=()):
    ids = torch.from_numpy(texts.ids)
    batch = TokenBatch(ids, torch.from_numpy(texts.lengths))
    return forward(model, batch, edits=edits, logits=True).logits[:, :-1], ids[:, 1:]


def predicted(texts):
    """Which tokens count and have a next one; none is a sink."""
    place = np.arange(texts.context - 1)
    return torch.from_numpy(texts.counts[:, :-1] & (place < texts.lengths[:, None] - 1))


@pytest.fixture(scope="module")
def found(model, texts, identity):
    """Of a dictionary that leaves half of each row away, and the texts in several passes."""
    half = identity(HERE)
    with torch.no_grad():
        half.parts[0].decoder.mul_(0.5)
    return evaluate(model, half, texts, sink_ratio=None).losses


def test_the_unedited_model_is_itself(model, texts, found):
    logits, following = whole(model, texts)
    here = predicted(texts)
    expected = cross_entropy(logits[here], following[here], reduction="sum")
    assert found.cross_entropy["clean"].sum() == pytest.approx(expected.item(), rel=1e-5)
    assert found.n_tokens.sum() == int(here.sum())
    assert len(found.unit) == len(texts)
    assert found.divergence["clean"].max() == 0


def test_arms_are_the_models_own_passes_with_edits(model, texts, found):
    """Half of each row, zeros, and the mean of the rows that count."""
    batch = TokenBatch(torch.from_numpy(texts.ids), torch.from_numpy(texts.lengths))
    x = forward(model, batch, capture=[HOOK]).activations[HOOK]
    counts = torch.from_numpy(texts.counts)
    here = predicted(texts)
    clean, following = whole(model, texts)
    values = {
        "dictionary": 0.5 * x,
        "zero": torch.zeros_like(x),
        "mean": x[counts].mean(dim=0).expand_as(x),
    }
    for arm, value in values.items():
        logits, _ = whole(model, texts, [Replace(HOOK, value, Scope(tokens=counts))])
        expected = cross_entropy(logits[here], following[here])
        assert found.loss(arm).value == pytest.approx(expected.item(), rel=1e-5)
        log, plain = (one[here].log_softmax(-1) for one in (logits, clean))
        apart = kl_div(log, plain, log_target=True, reduction="sum") / here.sum()
        assert found.kl(arm).value == pytest.approx(apart.item(), rel=1e-3)
    lost = [found.loss(arm).value for arm in ("zero", "dictionary", "clean")]
    recovered = (lost[0] - lost[1]) / (lost[0] - lost[2])
    assert found.recovered("dictionary").value == pytest.approx(recovered)
    assert found.recovered("dictionary", "mean").value != pytest.approx(recovered)
    assert found.added("zero").value == pytest.approx(lost[0] - lost[2])


@pytest.mark.parametrize("target", ["", "blocks.1.mlp_out"])
def test_what_is_given_back_whole_loses_nothing(model, texts, identity, target):
    """As an SAE; as a transcoder of the MLP's output, from that output itself."""
    source = target or HERE
    lost = evaluate(model, identity(source, target), texts).losses
    assert lost.recovered("dictionary").value == pytest.approx(1, abs=1e-5)
    assert lost.kl("dictionary").value == pytest.approx(0, abs=1e-6)
    assert lost.recovered("zero").value == 0


def test_pieces_do_not_matter(model, texts, identity, monkeypatch, found):
    half = identity(HERE)
    with torch.no_grad():
        half.parts[0].decoder.mul_(0.5)
    monkeypatch.setattr(patched_pass, "CPU_TOKENS", 3 * texts.context)
    monkeypatch.setattr(reconstruction_loss, "LOGITS", 5 * model.info.d_vocab)
    again = evaluate(model, half, texts, sink_ratio=None).losses
    for arm in ("clean", "zero", "mean", "dictionary"):
        expected = pytest.approx(found.cross_entropy[arm], rel=1e-5)
        assert again.cross_entropy[arm] == expected


def test_sinks_keep_their_activations(model, texts, identity):
    """With a limit that makes every row a sink of sorts, nothing is replaced or counted."""
    limits = measured_limits(model, texts, [HOOK], 1.0)
    kept = torch.cat([one.kept for one in captures(model, texts, [HOOK], limits)])
    counts = torch.from_numpy(texts.counts)
    assert 0.4 * counts.sum() < kept.sum() < 0.6 * counts.sum()
    arm = dictionary_arm(identity(HERE))
    lost = losses(model, texts, ([HOOK], [HOOK]), [arm], [torch.zeros(32)], limits)
    assert lost.n_tokens.sum() == int((kept[:, :-1] & predicted(texts)).sum())
