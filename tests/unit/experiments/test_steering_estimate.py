"""What plans say of memory while texts are written: caches, logits, a second copy of weights."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from sonde.experiments.facts import BATCH_TOKENS
from sonde.experiments.sizes import sizes_of
from sonde.experiments.steering_estimate import Written, generation_estimate, grid_bytes
from sonde.models.grid_plan import DEFAULT_BUDGET
from sonde.models.likelihood import LOGITS
from sonde.models.spec import ModelSpec

NAME = "random:smollm2-135m-instruct"
PROMPTS = ("x" * 84,)  # 20 tokens and 12 of the template
CACHED = 2 * 30 * 3 * 64 * 4  # keys and values of 30 layers with 3 heads of 64, in float32


def sizes(dtype="float32"):
    return sizes_of(ModelSpec(name=NAME), dtype)


def always(dtype="float32"):
    """What is held whatever is written: a pass and its logits."""
    return sizes(dtype).pass_bytes(BATCH_TOKENS, 0) + 5 * 4 * LOGITS


def test_a_small_grid_holds_its_own_tokens():
    few = Written(PROMPTS, rows=10, new=100)
    assert (few.prompt, few.length) == (32, 42)
    assert sizes().cache_per_token == CACHED
    assert grid_bytes(sizes(), few) == always() + 10 * 42 * CACHED


def test_a_large_grid_holds_its_budget_and_packed_weights():
    many = Written(PROMPTS, rows=2000, new=80_000, chunk=256)
    assert grid_bytes(sizes(), many) == always() + DEFAULT_BUDGET * CACHED + sizes().weights
    less = Written(PROMPTS, rows=2000, new=80_000, budget=1000, chunk=256)
    assert grid_bytes(sizes(), less) == always() + 1000 * CACHED + sizes().weights
    half = grid_bytes(sizes("bfloat16"), many)
    assert half == always("bfloat16") + DEFAULT_BUDGET * CACHED // 2


def test_the_peak_of_a_measured_grid_is_foreseen():
    """256 rows of 27 + 40 tokens took 2.71 GB at their peak, 0.42 GB of it before the model."""
    written = Written(("x" * 63,), rows=256, new=256 * 40, chunk=256)
    needed = sizes().weights + grid_bytes(sizes(), written)
    assert 1 / 1.5 < needed / (2.71e9 - 0.42e9) < 1.5


@given(rows=st.integers(1, 5000), new=st.integers(1, 200), budget=st.integers(1, 10**5))
def test_memory_is_bounded_by_the_budget(rows, new, budget):
    written = Written(PROMPTS, rows=rows, new=rows * new, budget=budget)
    found = grid_bytes(sizes(), written)
    assert always() <= found <= always() + budget * CACHED + sizes().weights


def test_the_estimate_says_what_is_written_at_once(tmp_path):
    experiment = SimpleNamespace(model=ModelSpec(name=NAME))
    facts = SimpleNamespace(
        planned=SimpleNamespace(base=tmp_path, experiment=experiment), dtype="float32"
    )
    found = generation_estimate(facts, None, Written(PROMPTS, rows=2000, new=80_000, chunk=256))
    assert found.basis.endswith("prompts of about 32; 227 at a time")  # 16,384 / 72
    assert found.memory == grid_bytes(sizes(), Written(PROMPTS, rows=2000, new=80_000, chunk=256))
    experiment.model = None
    assert generation_estimate(facts, None, Written(PROMPTS, 1, 1)).unknown == (
        "the experiment names no model"
    )
