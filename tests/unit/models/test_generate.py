"""Generation with edits."""

import numpy as np
import pytest
import torch

from sonde.core.edits import Add, Gate, Replace, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.models.generate import GenerateSettings, end_tokens, generate
from sonde.models.model import Model
from sonde.models.tiny import tiny_model

MID = HookPoint(1, Site.RESID_MID)
PROMPTS = [list(b"a prompt"), list(b"another, a longer one"), list(b"third")]
GREEDY = GenerateSettings(max_new_tokens=10)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model("gemma2")  # with windows shorter than the prompts


@pytest.fixture(scope="module")
def vectors() -> torch.Tensor:
    return 3 * torch.randn(3, 32, generator=torch.Generator().manual_seed(0))


def slowly(model: Model, prompt: list[int], n_new: int, *edits) -> tuple[int, ...]:
    """Greedy generation without a cache: the whole text anew for each token."""
    text = list(prompt)
    for _ in range(n_new):
        logits = forward(model, pad_batch([text]), logits=True, edits=edits).logits
        assert logits is not None
        text.append(int(logits[0, -1].argmax()))
        if text[-1] in end_tokens(model):
            return tuple(text[len(prompt) : -1])
    return tuple(text[len(prompt) :])


def test_the_cache_changes_nothing(model: Model, vectors: torch.Tensor) -> None:
    """An edit everywhere is the same whether earlier tokens come from the cache or not."""
    assert list(generate(model, PROMPTS, GREEDY).tokens) == [slowly(model, p, 10) for p in PROMPTS]
    edited = generate(model, PROMPTS, GREEDY, [Add(MID, vectors)]).tokens
    want = [slowly(model, p, 10, Add(MID, v)) for p, v in zip(PROMPTS, vectors, strict=True)]
    assert list(edited) == want


def test_greedy_text_is_the_librarys(model: Model) -> None:
    want = model.hf.generate(
        torch.tensor([PROMPTS[1]]),
        max_new_tokens=10,
        do_sample=False,
        eos_token_id=model.tokenizer.eos_token_id,
        pad_token_id=0,
    )[0, len(PROMPTS[1]) :].tolist()
    got = generate(model, PROMPTS, GREEDY)
    assert list(got.tokens[1]) == [token for token in want if token not in end_tokens(model)]
    assert got.texts[1] == model.tokenizer.decode(list(got.tokens[1]))


def test_edits_of_the_prompt_leave_generated_tokens_alone(model, vectors) -> None:
    """Token by token without a cache, an edit of the prompt's tokens is one of the same tokens."""
    edit = Add(MID, vectors[0], scope=Scope(when=When.PROMPT))
    got = generate(model, PROMPTS, GREEDY, [edit]).tokens
    for prompt, tokens in zip(PROMPTS, got, strict=True):
        text = list(prompt)
        for token in tokens:
            mask = torch.arange(len(text))[None] < len(prompt)
            scoped = Add(MID, vectors[0], scope=Scope(tokens=mask))
            logits = forward(model, pad_batch([text]), logits=True, edits=[scoped]).logits
            assert logits is not None
            assert int(logits[0, -1].argmax()) == token
            text.append(token)
    assert got != generate(model, PROMPTS, GREEDY, [Add(MID, vectors[0])]).tokens


def test_edits_of_generated_tokens_leave_the_prompt_alone(model, vectors) -> None:
    plain = generate(model, PROMPTS, GREEDY).tokens
    edit = Add(MID, 5 * vectors[0], scope=Scope(when=When.GENERATED))
    got = generate(model, PROMPTS, GREEDY, [edit]).tokens
    assert [row[0] for row in got] == [row[0] for row in plain]  # answered from the prompt
    assert got != plain


def test_edits_of_generated_tokens_reach_their_rows_alone(model, vectors) -> None:
    plain = generate(model, PROMPTS, GREEDY).tokens
    scope = Scope(rows=torch.tensor([False, True, False]), when=When.GENERATED)
    got = generate(model, PROMPTS, GREEDY, [Add(MID, 5 * vectors[0], scope=scope)]).tokens
    assert (got[0], got[2]) == (plain[0], plain[2])
    assert got[1] != plain[1]


def test_an_edit_of_a_window_reaches_its_tokens_alone(model, vectors) -> None:
    """The edit at generated token 2 acts on the choice of token 3 and what follows."""
    plain = generate(model, PROMPTS, GREEDY).tokens
    always = generate(model, PROMPTS, GREEDY, [Add(MID, 9 * vectors[0])]).tokens
    scope = Scope(when=When.GENERATED, steps=(2, 4))
    got = generate(model, PROMPTS, GREEDY, [Add(MID, 9 * vectors[0], scope=scope)]).tokens
    assert [row[:3] for row in got] == [row[:3] for row in plain]
    assert got not in (plain, always)
    for prompt, row in zip(PROMPTS, got, strict=True):
        text = list(prompt)
        for token in row:
            step = torch.arange(len(text))[None] - len(prompt)
            mask = (step >= 2) & (step < 4)
            edit = Add(MID, 9 * vectors[0], scope=Scope(tokens=mask))
            logits = forward(model, pad_batch([text]), logits=True, edits=[edit]).logits
            assert logits is not None
            assert int(logits[0, -1].argmax()) == token
            text.append(token)


def test_a_gate_at_an_earlier_hook_point(model, vectors) -> None:
    """The edit reaches the tokens at which a pass without it opens the gate."""
    at = HookPoint(0, Site.RESID_POST)
    scope = Scope(gate=Gate(at, vectors[1], 0.0, 1.0))
    batch = pad_batch(PROMPTS)
    got = forward(model, batch, logits=True, edits=[Add(MID, vectors[0], scope=scope)]).logits
    x = forward(model, batch, capture=[at]).activations[at]
    tokens = (x @ vectors[1] > 1.0) & (torch.arange(x.shape[1]) < batch.lengths[:, None])
    want = forward(
        model, batch, logits=True, edits=[Add(MID, vectors[0], scope=Scope(tokens=tokens))]
    ).logits
    assert got is not None
    assert want is not None
    assert tokens.any()
    assert not tokens.all()
    for row, length in enumerate(batch.lengths.tolist()):
        assert torch.equal(got[row, :length], want[row, :length])


def test_token_masks_index_each_prompts_own_tokens(model, vectors) -> None:
    """The batch is padded on the left inside, and masks are not."""
    tokens = torch.zeros(3, max(map(len, PROMPTS)), dtype=torch.bool)
    tokens[0, 2], tokens[1, 19], tokens[2, 4] = True, True, True
    tokens[2, 10] = True  # lies outside the third prompt, so it reaches nothing
    edit = Add(MID, 5 * vectors, scope=Scope(tokens=tokens))
    together = generate(model, PROMPTS, GREEDY, [edit]).tokens
    for row, prompt in enumerate(PROMPTS):
        own = tokens[row : row + 1, : len(prompt)]
        alone = Add(MID, 5 * vectors[row], scope=Scope(tokens=own))
        assert generate(model, [prompt], GREEDY, [alone]).tokens[0] == together[row]
    assert together != generate(model, PROMPTS, GREEDY).tokens


def test_values_for_each_token_reach_each_prompts_own_tokens(model) -> None:
    longest = max(map(len, PROMPTS))
    value = torch.randn(3, longest, 32, generator=torch.Generator().manual_seed(4))
    together = generate(model, PROMPTS, GREEDY, [Replace(MID, value)]).tokens
    for row, prompt in enumerate(PROMPTS):
        own = Replace(MID, value[row : row + 1, : len(prompt)])
        assert generate(model, [prompt], GREEDY, [own]).tokens[0] == together[row]


def test_rows_keep_their_edits_across_batches(model: Model, vectors: torch.Tensor) -> None:
    edits = [
        Add(MID, vectors, torch.tensor([4.0, 0.0, -4.0])),
        Add(MID, vectors[0], scope=Scope(rows=torch.tensor([False, True, False]))),
    ]
    together = generate(model, PROMPTS, GREEDY, edits)
    one_by_one = generate(model, PROMPTS, GREEDY.model_copy(update={"batch_size": 1}), edits)
    assert together == one_by_one


def test_samples_depend_on_the_seed_alone(model: Model) -> None:
    settings = GenerateSettings(max_new_tokens=15, temperature=1.0, seed=3)
    torch.manual_seed(0)
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = generate(model, PROMPTS, settings)
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])
    torch.manual_seed(99)
    by_one = settings.model_copy(update={"batch_size": 1})
    assert generate(model, PROMPTS, by_one) == first
    other = settings.model_copy(update={"seed": 4})
    assert generate(model, PROMPTS, other).tokens != first.tokens
    shorter = settings.model_copy(update={"max_new_tokens": 6})
    assert [row[:6] for row in first.tokens] == [
        row[:6] for row in generate(model, PROMPTS, shorter).tokens
    ]


def test_a_text_ends_at_the_end_token(model: Model) -> None:
    plain = generate(model, PROMPTS, GREEDY).tokens
    stop = plain[1][3]
    model.hf.generation_config.eos_token_id = [stop]
    try:
        got = generate(model, PROMPTS, GREEDY)
    finally:
        model.hf.generation_config.eos_token_id = None
    for row, tokens in enumerate(plain):
        cut = tokens.index(stop) if stop in tokens else None
        assert got.tokens[row] == tokens[:cut]
        assert got.finished[row] == (cut is not None)
    assert got.finished[1]


def test_requests_that_cannot_be_met(model: Model) -> None:
    v, mask = torch.ones(32), torch.ones(3, 21).bool()
    with pytest.raises(SondeError, match="no prompts"):
        generate(model, [])
    with pytest.raises(SondeError, match="Prompt 1 has 0 tokens"):
        generate(model, [[1], []])
    with pytest.raises(SondeError, match="Give prompts of 1 to 448 tokens"):
        generate(model, [[1] * 449])
    with pytest.raises(SondeError, match="3 rows, and the batch has 2"):
        generate(model, PROMPTS[:2], GREEDY, [Add(MID, torch.ones(3, 32))])
    with pytest.raises(SondeError, match="names tokens of the prompt"):
        scope = Scope(tokens=mask, when=When.GENERATED)
        generate(model, PROMPTS, GREEDY, [Add(MID, v, scope=scope)])
    with pytest.raises(SondeError, match="comes to later"):
        gate = Gate(HookPoint(2, Site.MLP_OUT), v)
        generate(model, PROMPTS, GREEDY, [Add(MID, v, scope=Scope(gate=gate))])
    with pytest.raises(SondeError, match="window of generated tokens, and a forward pass has"):
        forward(
            model, pad_batch(PROMPTS), logits=True, edits=[Add(MID, v, scope=Scope(steps=(0, 1)))]
        )
    with pytest.raises(SondeError, match=r"has shape \[3, 5\]"):
        generate(model, PROMPTS, GREEDY, [Add(MID, v, scope=Scope(tokens=mask[:, :5]))])
