"""Likelihoods and divergences over given texts, held against whole passes without a cache."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sonde.core.edits import Add, Edit, Replace, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.models.grid import GridRow
from sonde.models.likelihood import log_likelihoods, steered_divergence, teacher_forced
from sonde.models.model import Model, wrap
from sonde.models.tiny import tiny_hf, tiny_model

COMMON = list(b"what all of them begin with: ")
PROMPTS = [COMMON + list(b"a prompt"), COMMON + list(b"a longer one"), list(b"quite other")]
TEXTS = [list(b"hello there"), list(b"x"), list(b"some more")]


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model("gemma2")  # windows shorter than the prompts, and logits capped at the end


def vector(seed: int) -> torch.Tensor:
    return 2 * torch.randn(32, generator=torch.Generator().manual_seed(seed))


def whole(model: Model, prompt: list[int], text: list[int], *edits: Edit) -> torch.Tensor:
    """Return log-probabilities ``[token, d_vocab]`` at the text's tokens, from one plain pass."""
    own = torch.arange(len(prompt) + len(text)) - len(prompt)
    scoped = []
    for edit in edits:
        reached = torch.tensor([edit.scope.reaches_step(max(0, step)) for step in own.tolist()])
        tokens = torch.where(own < 0, torch.tensor(edit.scope.when is not When.GENERATED), reached)
        scoped.append(replace(edit, scope=Scope(tokens=tokens[None])))
    logits = forward(model, pad_batch([prompt + text]), logits=True, edits=scoped).logits
    assert logits is not None
    return logits[0, len(prompt) - 1 : -1].double().log_softmax(dim=-1)


@pytest.mark.parametrize("family", ["gemma2", "llama", "gpt2"])
@pytest.mark.parametrize("budget", [None, 300])
def test_likelihoods_are_those_of_whole_passes(family: str, budget: int | None) -> None:
    model = tiny_model(family)
    pairs = [*product(PROMPTS, TEXTS), (PROMPTS[0], TEXTS[0])]
    got = log_likelihoods(model, *map(list, zip(*pairs, strict=True)), token_budget=budget)
    want = [
        float(whole(model, prompt, text).gather(-1, torch.tensor(text)[:, None]).sum())
        for prompt, text in pairs
    ]
    assert_allclose(got.total, want, rtol=1e-5)
    assert got.n_tokens.tolist() == [len(text) for _, text in pairs]
    assert got.total[0] == got.total[-1]


@pytest.mark.parametrize("budget", [None, 300])
def test_divergences_are_those_of_whole_passes(model: Model, budget: int | None) -> None:
    """Phases, windows, layers and texts differ by row."""
    rows, texts = [], []
    for number, (prompt, when) in enumerate(product(range(3), When)):
        steps = (1, 4) if when is When.GENERATED else None
        hook = HookPoint(number % 3, Site.RESID_POST if number % 2 else Site.MLP_OUT)
        edit = Add(hook, vector(number), 1.0, Scope(when=when, steps=steps))
        rows += [GridRow(prompt, (edit,)), GridRow(prompt, (replace(edit, scale=2.0),))]
        texts += [TEXTS[number % 2], TEXTS[number % 2]]
    got = teacher_forced(model, PROMPTS, texts, rows, token_budget=budget)
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        prompt = PROMPTS[row.prompt]
        p, q = whole(model, prompt, text, *row.edits), whole(model, prompt, text)
        nats = float((p.exp() * (p - q)).sum(-1).mean())
        assert got.divergence[number] == pytest.approx(nats, rel=1e-4, abs=1e-6)
        own = float(p.gather(-1, torch.tensor(text)[:, None]).mean())
        assert got.log_likelihood[number] == pytest.approx(own, rel=1e-5)
    found = steered_divergence(model, PROMPTS, texts, rows, token_budget=budget)
    assert_allclose(found, got.divergence)


def test_a_model_of_two_tokens_by_hand() -> None:
    """Unedited both tokens are as likely; steered the first is three times as likely."""
    hf = tiny_hf("llama", vocab_size=2)
    model = wrap(hf, None, name="of two tokens", revision="", fingerprint="")
    with torch.no_grad():
        for block in model.blocks:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        model.decoder.embed_tokens.weight.copy_(torch.eye(32)[:1])  # the residual, everywhere
        model.decoder.norm.weight.fill_(1.0)  # makes a unit vector sqrt(32) long
        head = model.hf.get_output_embeddings().weight
        head.zero_()
        head[0, 1] = math.log(3) / math.sqrt(32)
    plain = log_likelihoods(model, [[0, 1]], [[0, 1, 1]])
    assert plain.total[0] == pytest.approx(3 * math.log(1 / 2), rel=1e-5)
    edit = Replace(HookPoint(2, Site.RESID_POST), torch.eye(32)[1])
    generated = replace(edit, scope=Scope(when=When.GENERATED))
    rows = [GridRow(0, (edit,)), GridRow(0, (generated,))]
    got = teacher_forced(model, [[0, 1]], [[0, 1, 1]] * 2, rows)
    nats = 3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2)
    # The prompt's last token predicts the first of three, and is not edited in the second row.
    assert_allclose(got.divergence, [nats, 2 / 3 * nats], rtol=1e-4)
    own = math.log(3 / 4) + 2 * math.log(1 / 4)
    assert_allclose(
        got.log_likelihood, [own / 3, (math.log(1 / 2) + 2 * math.log(1 / 4)) / 3], rtol=1e-5
    )


@settings(max_examples=10)
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 0.5, 4.0])),
        min_size=1,
        max_size=6,
    ),
    budget=st.sampled_from([None, 220]),
)
def test_divergences_are_never_negative_and_zero_without_an_edit(model, asked, budget) -> None:
    hook = HookPoint(1, Site.RESID_POST)
    rows = [GridRow(prompt, (Add(hook, vector(1), scale),)) for prompt, _, scale in asked]
    texts = [TEXTS[text] for _, text, _ in asked]
    got = teacher_forced(model, PROMPTS, texts, rows, token_budget=budget)
    idle = np.array([scale == 0 for _, _, scale in asked])
    assert (got.divergence >= 0).all()
    assert (got.divergence[idle] == 0).all()
    assert (got.divergence[~idle] > 0).all()
    plain = log_likelihoods(model, [PROMPTS[prompt] for prompt, _, _ in asked], texts)
    assert_allclose((got.log_likelihood * got.n_tokens)[idle], plain.total[idle], rtol=1e-5)


def test_empty_texts(model: Model) -> None:
    got = log_likelihoods(model, PROMPTS[:2], [[], TEXTS[0]])
    assert got.total[0] == 0
    assert got.n_tokens.tolist() == [0, len(TEXTS[0])]
    found = teacher_forced(model, PROMPTS, [[]], [GridRow(0)])
    assert np.isnan(found.divergence[0])
    assert len(log_likelihoods(model, [], []).total) == 0


def test_requests_that_cannot_be_met(model: Model) -> None:
    with pytest.raises(SondeError, match="2 continuations for 1 rows"):
        log_likelihoods(model, PROMPTS[:1], TEXTS[:2])
    with pytest.raises(SondeError, match="Prompt 1 has no tokens"):
        log_likelihoods(model, [[1], []], [[1], [1]])
    with pytest.raises(SondeError, match=r"longer than the 512 that tiny gemma2 reads"):
        log_likelihoods(model, [[1] * 400], [[1] * 113])
    with pytest.raises(SondeError, match=r"budget of 40 does not hold a prompt of 37"):
        log_likelihoods(model, PROMPTS[:1], TEXTS[:1], token_budget=40)
