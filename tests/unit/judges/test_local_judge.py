"""A local model's scores against every number spelt alone, and whatever shares its batch."""

from functools import cache

import pytest
import torch

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.judges import number_tree as tree_module
from sonde.judges.judge import Asked
from sonde.judges.local import LocalJudge
from sonde.judges.off_scale import FIRST
from sonde.judges.prompts import rubric_text
from sonde.judges.scales import SCALES
from sonde.models.tiny import tiny_model

RUBRIC = "{answer} {ask}"  # the tiny models read 128 tokens, one a byte


def judge_of(family, **changes):
    changes = {"rubric": RUBRIC, "least_mass": 1e-9, **changes}
    return LocalJudge(tiny_model(family), "trait", **changes)


def asked(*answers):
    return [Asked("Why?", answer, "joy", "great joy") for answer in answers]


@torch.no_grad()
def spelt_alone(model, prompt):
    """Return p(number) from one full pass for each prefix, without any cache."""

    @cache
    def after(path):
        ids = torch.tensor([[*prompt, *path]])
        return model.hf(ids, use_cache=False).logits[0, -1].double().softmax(-1)

    tree = tree_module.number_tree(model.tokenizer)
    chances = dict.fromkeys(range(101), 0.0)
    for path, number in tree.spelt.items():
        chance = 1.0
        for depth, token in enumerate(path):
            chance *= float(after(path[:depth])[token])
        if path in tree.children:
            chance *= 1 - float(after(path)[list(tree.continuing)].sum())
        chances[number] += chance
    return chances


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_scores_are_those_of_every_number_spelt_alone(family, monkeypatch):
    monkeypatch.setattr(tree_module, "NEGLIGIBLE", 0.0)
    judge = judge_of(family)
    (found,) = judge.score(asked("fine"))
    scale = SCALES["percent"]
    text = rubric_text(RUBRIC, asked("fine")[0], ask=scale.ask)
    prompt = judge.model.render(Example("asked", text)).ids.tolist()
    chances = spelt_alone(judge.model, prompt)
    mass = sum(chances.values())
    assert found.mass == pytest.approx(mass, rel=1e-4)
    expected = sum(number * chance for number, chance in chances.items()) / mass
    assert found.score == pytest.approx(expected, rel=1e-4)
    assert found.tokens == len(prompt)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3", "qwen3", "gpt_neox"])
def test_a_score_does_not_depend_on_its_batch(family):
    answers = asked("fine", "well enough, thank you", "ok")
    together = judge_of(family).score(answers)
    alone = [judge_of(family, token_budget=1).score([one])[0] for one in answers]
    for one, other in zip(together, alone, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert one.mass == pytest.approx(other.mass, rel=1e-4)


def test_an_empty_answer_is_not_asked_about():
    assert judge_of("llama").score(asked(" "))[0].reason == "the answer is empty"


def test_an_answer_too_long_for_the_model_has_no_score():
    long, short = judge_of("llama").score(asked("x" * 5000, "fine"))
    assert long.score is None
    assert "does not fit tiny llama, which reads" in long.reason
    assert short.score is not None


def test_a_model_that_writes_no_numbers_is_no_judge():
    judge = judge_of("llama", least_mass=0.9)
    assert {one.score for one in judge.score(asked("a", "b"))} == {None}
    with pytest.raises(SondeError, match=f"none of its first {FIRST} answers"):
        judge.score(asked(*(f"answer {number}" for number in range(FIRST))))


def test_the_key_names_model_rubric_and_rendering():
    key = judge_of("llama").key()
    assert key["model"][0] == "tiny llama"
    assert key != judge_of("gemma2").key()
    assert key != judge_of("llama", rubric="{answer}! {ask}").key()
    assert key == judge_of("llama", token_budget=7).key()


def test_nan_is_named():
    judge = judge_of("llama")
    with torch.no_grad():
        judge.model.hf.lm_head.weight.fill_(float("nan"))
    with pytest.raises(SondeError, match="gave NaN"):
        judge.score(asked("fine"))
