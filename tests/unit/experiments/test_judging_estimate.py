"""What plans say of local judges: their models lie in memory beside what they judge."""

from types import SimpleNamespace

import pytest

from sonde.experiments.judging_estimate import with_judges
from sonde.experiments.sizes import sizes_of
from sonde.experiments.stage import Estimate
from sonde.judges import LocalJudgeSettings, RuleJudgeSettings
from sonde.models.spec import ModelSpec

WRITTEN = Estimate(flops=1e9, memory=10**6, tokens=100, basis="10 texts")
NAME = "random:gemma-2-2b"


@pytest.fixture
def facts(tmp_path):
    return SimpleNamespace(planned=SimpleNamespace(base=tmp_path), dtype="bfloat16")


def judged(facts, *judges, answers=10, length=50):
    return with_judges(WRITTEN, facts, judges, answers, length)


def test_judges_without_a_model_of_their_own_add_nothing(facts):
    assert judged(facts, RuleJudgeSettings(), None) is WRITTEN
    unknown = Estimate(unknown="why")
    assert with_judges(unknown, facts, [LocalJudgeSettings(model="nobody")], 1, 1) is unknown


def test_a_model_that_two_judges_share_is_held_once(facts):
    trait = LocalJudgeSettings(model=NAME, token_budget=1000)
    coherence = LocalJudgeSettings(model=ModelSpec(name=NAME), token_budget=2000)
    sizes = sizes_of(ModelSpec(name=NAME), "bfloat16")
    one, both = judged(facts, trait, None), judged(facts, trait, coherence)
    assert one.memory == max(sizes.weights + sizes.pass_bytes(1000, 0), sizes.peak_loading)
    assert both.memory == max(sizes.weights + sizes.pass_bytes(2000, 0), sizes.peak_loading)
    assert both.flops - 1e9 == pytest.approx(2 * (one.flops - 1e9))
    assert one.flops - 1e9 > 10 * sizes.flops(50, sizes.n_layers)
    assert one.basis == f"10 texts; judged by {NAME}, in memory beside it"
    other = LocalJudgeSettings(model="random:gemma-2-9b")
    more = sizes_of(ModelSpec(name="random:gemma-2-9b"), "bfloat16").weights
    assert judged(facts, trait, other).memory >= sizes.weights + more
