"""Grids of rows with edits of their own, held against one row at a time."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.edits import (
    Ablate,
    Add,
    Affine,
    Clamp,
    Edit,
    Gate,
    Replace,
    Scope,
    When,
    cap,
)
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.generate import GenerateSettings, generate
from sonde.models.grid import Continuation, GridRow, GridSettings, generate_grid
from sonde.models.model import Model
from sonde.models.tiny import tiny_model

COMMON = list(b"what all begin with: ")
PROMPTS = [COMMON + list(b"a prompt"), COMMON + list(b"another, longer one"), list(b"quite other")]
GREEDY = GridSettings(max_new_tokens=6)
TIE = 1e-3  # where the two best logits are nearer, rounding may choose


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model("gemma3")  # hybrid, with windows shorter than the prompts


def vector(seed: int, width: int = 32) -> torch.Tensor:
    return 2 * torch.randn(width, generator=torch.Generator().manual_seed(seed))


def run(
    model: Model, rows: Sequence[GridRow], settings: GridSettings = GREEDY, prompts=PROMPTS
) -> dict[int, Continuation]:
    found = list(generate_grid(model, prompts, rows, settings, progress=False))
    assert sorted(one.row for one in found) == list(range(len(rows)))
    return {one.row: one for one in found}


def alone(model: Model, row: GridRow, settings: GridSettings = GREEDY, prompts=PROMPTS):
    """Generate the row by itself, by a path that shares nothing."""
    plain = GenerateSettings(max_new_tokens=settings.max_new_tokens)
    return generate(model, [prompts[row.prompt]], plain, row.edits)


def assert_as_alone(model: Model, rows: Sequence[GridRow], found, settings=GREEDY) -> None:
    for number, row in enumerate(rows):
        want = alone(model, row, settings)
        if found[number].margin >= TIE:
            assert found[number].tokens == want.tokens[0], (number, row.edits)
            assert found[number].text == want.texts[0]
            assert found[number].finished == want.finished[0]
    assert sum(one.margin < TIE for one in found.values()) <= max(1, len(rows) // 20)


def kinds(hook: HookPoint, width: int, scope: Scope, seed: int) -> Iterator[Edit]:
    v = vector(seed, width)
    yield Add(hook, v, 1.5, scope)
    yield Ablate(hook, v, scope)
    yield Clamp(hook, v, -0.5, 0.5, scope)
    yield Replace(hook, v, scope)
    yield Affine(hook, 0.5 * torch.eye(width), v, scope)
    yield cap(hook, v, 0.1, scope)


def mixed(model: Model) -> list[GridRow]:
    """Rows of every site, phase, layer and kind, in turn."""
    rows = [GridRow(0), GridRow(1), GridRow(2)]
    for number, (site, when, layer) in enumerate(product(model.family.sites, When, (0, 1, 2))):
        width = model.info.n_heads * model.info.d_head if site is Site.HEAD_OUT else 32
        steps = (2, 5) if number % 4 == 3 and when is not When.PROMPT else None
        found = list(
            kinds(HookPoint(layer, site), width, Scope(when=when, steps=steps), number % 5)
        )
        rows.append(GridRow(number % 3, (found[number % 6],)))
    return rows


@pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3", "gpt2", "gpt_neox"])
def test_rows_are_as_alone_in_every_family(family: str) -> None:
    """All sites, phases, layers and kinds of edits share batches, and change nothing."""
    model = tiny_model(family)
    rows = mixed(model)[:: 2 if family == "gemma3" else 6]
    assert_as_alone(model, rows, run(model, rows))


def test_a_small_budget_changes_nothing(model: Model) -> None:
    rows = mixed(model)[::3]
    whole = run(model, rows)
    tight = run(model, rows, GREEDY.model_copy(update={"token_budget": 400}))
    for number, one in whole.items():
        assert one.margin < TIE or one.tokens == tight[number].tokens


def test_the_order_depends_on_what_was_asked_alone(model: Model) -> None:
    rows = mixed(model)[::4]
    orders = [
        [one.row for one in generate_grid(model, PROMPTS, rows, GREEDY, progress=False)]
        for _ in range(2)
    ]
    assert orders[0] == orders[1]


def test_several_edits_of_a_row_keep_their_order(model: Model) -> None:
    hook = HookPoint(1, Site.RESID_POST)
    v, w = vector(1), vector(2)
    after = HookPoint(2, Site.RESID_PRE)  # the same place
    rows = [
        GridRow(0, (Add(hook, v), Ablate(hook, v))),
        GridRow(0, (Ablate(hook, v), Add(hook, v))),
        GridRow(0, (Add(after, v), Ablate(hook, v))),  # in the order of the pass
        GridRow(0, (Add(HookPoint(0, Site.MLP_OUT), w), Ablate(hook, v), Add(hook, w))),
    ]
    found = run(model, rows)
    assert_as_alone(model, rows, found)
    assert found[1].tokens == found[2].tokens != found[0].tokens


def test_a_coefficient_of_zero_is_the_unsteered_text(model: Model) -> None:
    hook, v = HookPoint(1, Site.RESID_POST), vector(1)
    idle = [
        Add(hook, v, 0.0),
        Add(hook, torch.zeros(32), 5.0),
        Clamp(hook, v, -torch.inf, torch.inf),
        Add(hook, v, scope=Scope(tokens=torch.zeros(1, len(PROMPTS[0])).bool())),
    ]
    rows = [GridRow(0), *(GridRow(0, (edit,)) for edit in idle), GridRow(0, (Add(hook, v, 4.0),))]
    found = run(model, rows)
    plain = generate(model, PROMPTS[:1], GenerateSettings(max_new_tokens=6))
    for number in range(len(idle) + 1):
        assert found[number].tokens == plain.tokens[0]
        assert found[number].margin == found[0].margin
    assert found[len(rows) - 1].tokens != plain.tokens[0]


def test_masks_and_values_of_the_prompts_tokens(model: Model) -> None:
    hook = HookPoint(0, Site.MLP_OUT)
    n = len(PROMPTS[1])
    tokens = (torch.arange(n) >= n - 3)[None]
    value = torch.randn(1, n, 32, generator=torch.Generator().manual_seed(3))
    rows = [
        GridRow(1, (Add(hook, vector(1), 3.0, Scope(tokens=tokens)),)),
        GridRow(1, (Add(hook, vector(1), 3.0, Scope(tokens=~tokens)),)),
        GridRow(1, (Replace(hook, value, Scope(tokens=tokens)),)),
        GridRow(1, (Replace(hook, value),)),
        GridRow(0, (Add(hook, vector(1), 3.0),)),
    ]
    found = run(model, rows)
    assert_as_alone(model, rows, found)
    assert len({found[number].tokens for number in range(4)}) == 4


@pytest.mark.parametrize("gate_at", [HookPoint(0, Site.RESID_POST), HookPoint(1, Site.MLP_OUT)])
def test_a_gate_lets_an_edit_through(model: Model, gate_at: HookPoint) -> None:
    """With a gate that is always open or never, the rows are those with and without the edit."""
    hook = HookPoint(1, Site.MLP_OUT)
    v, w = vector(1), vector(2)

    def gated(threshold: float) -> tuple[Edit, ...]:
        return (Add(hook, v, 3.0, Scope(gate=Gate(gate_at, w, 0.5, threshold))),)

    rows = [
        GridRow(0),
        GridRow(0, (Add(hook, v, 3.0),)),
        *(GridRow(0, gated(threshold)) for threshold in (-1e6, 1e6, 0.5)),
        GridRow(1, gated(0.5)),
        GridRow(2, gated(0.2)),
    ]
    found = run(model, rows)
    assert found[2].tokens == found[1].tokens
    assert found[3].tokens == found[0].tokens
    assert_as_alone(model, rows, found)
    assert found[4].tokens not in (found[0].tokens, found[1].tokens)


def test_samples_belong_to_the_row(model: Model) -> None:
    hook = HookPoint(1, Site.RESID_POST)
    sampled = GridSettings(max_new_tokens=12, temperature=1.0, top_p=0.9, seed=3)
    rows = [GridRow(n % 3, (Add(hook, vector(n), 1.0),) if n % 2 else ()) for n in range(9)]
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    whole = run(model, rows, sampled)
    assert torch.equal(torch.random.get_rng_state(), state)
    tight = run(model, rows, sampled.model_copy(update={"token_budget": 120}))
    assert {n: one.tokens for n, one in whole.items()} == {
        n: one.tokens for n, one in tight.items()
    }
    assert whole[0].margin == float("inf")
    assert whole[0].tokens != whole[6].tokens  # the same prompt, and no edit: another draw
    other = run(model, rows, sampled.model_copy(update={"seed": 4}))
    assert any(other[n].tokens != whole[n].tokens for n in whole)
    plain = GenerateSettings(max_new_tokens=12, temperature=1.0, top_p=0.9, seed=3)
    assert generate(model, PROMPTS[:1], plain).tokens[0] == whole[0].tokens  # row 0 in both


def test_rows_end_where_the_model_ends_them(model: Model) -> None:
    hook = HookPoint(1, Site.RESID_POST)
    rows = [GridRow(n % 3, (Add(hook, vector(n), 1.0 + n / 4),)) for n in range(16)]
    settings = GridSettings(max_new_tokens=16, token_budget=600, temperature=1.0)
    plain = run(model, rows, settings)
    ends = {plain[0].tokens[0], *range(100, 120)}
    model.hf.generation_config.eos_token_id = sorted(ends)
    try:
        found = run(model, rows, settings)
    finally:
        model.hf.generation_config.eos_token_id = None
    for number, one in found.items():
        whole = plain[number].tokens
        cut = next((n for n, token in enumerate(whole) if token in ends), None)
        assert one.tokens == whole[:cut]
        assert one.finished == (cut is not None)
    assert found[0].tokens == ()
    assert len({len(one.tokens) for one in found.values()}) > 3


@settings(max_examples=6)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=12),
    n_new=st.integers(1, 5),
    spare=st.integers(0, 200),
)
def test_a_budget_is_kept_and_changes_no_text(model, lengths, asked, n_new, spare) -> None:
    """Whatever the prompts, rows and budget: all rows come, as they do without a budget."""
    from sonde.models.grid_plan import plan_rows, row_cost
    from sonde.models.grid_stream import Choice, RowStream

    prompts = [list(range(60, 60 + length)) for length in lengths]
    hooks = [HookPoint(layer, Site.RESID_POST) for layer in (0, 1, 2)]
    edits = [
        (),
        *((Add(hook, vector(4), 1.0),) for hook in hooks),
        (Add(hooks[0], vector(5), 1.0, Scope(when=When.GENERATED)),),
        (Ablate(hooks[1], vector(6), Scope(when=When.PROMPT)),),
    ]
    rows = [GridRow(prompt % len(prompts), edits[kind]) for prompt, kind in asked]
    budget = row_cost(max(lengths), n_new) + spare
    given = GridSettings(max_new_tokens=n_new, token_budget=budget)
    whole = run(model, rows, given.model_copy(update={"token_budget": None}), prompts)
    tight = run(model, rows, given, prompts)
    for number, one in whole.items():
        assert one.margin < TIE or one.tokens == tight[number].tokens
    plan = plan_rows(
        model, prompts, [(row.prompt, row.edits) for row in rows], n_new=n_new, same=True
    )
    stream = RowStream(model, list(reversed(plan.rows)), Choice(n_new, 0.0, 1.0, 0), budget)
    for _ in stream.run():
        assert stream.n_held <= budget


def test_requests_that_cannot_be_met(model: Model) -> None:
    hook = HookPoint(1, Site.MLP_OUT)

    def ask(*edits: Edit, prompt: int = 0, settings: GridSettings = GREEDY) -> None:
        generate_grid(model, PROMPTS, [GridRow(prompt, edits)], settings, progress=False)

    with pytest.raises(SondeError, match="Row 0 is for prompt 7, and there are 3"):
        ask(prompt=7)
    with pytest.raises(SondeError, match="Prompt 1 has 0 tokens"):
        generate_grid(model, [[1], []], [GridRow(0)], GREEDY)
    with pytest.raises(SondeError, match=r"vector of shape \[3, 32\], and \[32\] fits"):
        ask(Add(hook, torch.ones(3, 32)))
    with pytest.raises(SondeError, match=r"scale of shape \[2\], and \[\] fits"):
        ask(Add(hook, torch.ones(32), torch.ones(2)))
    with pytest.raises(SondeError, match="mask of rows"):
        ask(Add(hook, torch.ones(32), scope=Scope(rows=torch.ones(1).bool())))
    with pytest.raises(SondeError, match="comes to later"):
        ask(Add(hook, vector(0), scope=Scope(gate=Gate(HookPoint(2, Site.MLP_OUT), vector(0)))))
    with pytest.raises(SondeError, match="names tokens of the prompt"):
        tokens = torch.ones(1, len(PROMPTS[0])).bool()
        ask(Add(hook, vector(0), scope=Scope(tokens=tokens, when=When.GENERATED)))
    with pytest.raises(SondeError, match="outside tiny gemma3"):
        ask(Add(HookPoint(9, Site.MLP_OUT), vector(0)))
    with pytest.raises(
        SondeError, match=r"budget of 40 does not hold .* token_budget to 63 or more"
    ):
        ask(settings=GREEDY.model_copy(update={"token_budget": 40}))
    assert list(generate_grid(model, [], [], GREEDY)) == []
