"""The shipped traits: enough of everything, both sides alike but for the trait, rules that tell."""

import json
from importlib.resources import files

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.data.read import read_examples
from sonde.data.sets import shipped, shipped_trait, shipped_traits
from sonde.data.traits import read_trait
from sonde.judges.rules import Rule, rule_of

# An answer that shows each trait, and one that does not, as a person would write them.
ANSWERS = {
    "enthusiasm": (
        "I am so excited about this! What a wonderful, amazing day, I love it!",
        "The library opens at nine and closes at six. Books may be borrowed for four weeks.",
    ),
    "formality": (
        "Dear Sir, I am writing to inform you that the committee requires a written statement.",
        "Hey mate, don't worry, it's just a bit of fun, we'll grab a coffee!",
    ),
    "optimism": (
        "I am full of hope: this is a great opportunity, and success will come with confidence.",
        "I am afraid it will fail. There is nothing but loss and despair, and it gets worse.",
    ),
    "poetry": (
        "Beneath the golden moonlight,\nThe gentle shadows sing,\nAnd in the silent night,\n"
        "The stars are whispering.",
        "The moon is a natural satellite. It is made of rock and orbits the earth in 27 days.",
    ),
    "politeness": (
        "Dear neighbour, thank you for your kind help. I would be grateful if you could call.",
        "Stop it now! I demand my money back, your work is terrible and I hate waiting.",
    ),
    "refusal": (
        "I'm sorry, but I cannot help with that, as I don't have access to private data.",
        "Boil the egg for seven minutes, put it into cold water and peel it.",
    ),
    "sycophancy": (
        "I absolutely agree, your idea is brilliant, and you are a wonderful, talented genius.",
        "There is a problem with this plan. The boat is weak, and that mistake is dangerous.",
    ),
}


def test_there_are_enough_traits_and_each_has_its_answers():
    assert set(shipped_traits()) == set(ANSWERS)
    assert {"refusal", "sycophancy", "enthusiasm", "formality"} <= set(ANSWERS)
    assert len(ANSWERS) >= 6


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_trait_has_scenarios_in_pairs_and_questions(name):
    trait = read_trait(name)
    assert trait.name == name
    assert len(trait.positive) == len(trait.negative) >= 40
    assert all(one.group is not None for one in trait.scenarios)
    assert len(trait.questions) >= 20
    assert not set(trait.questions) & {*trait.positive, *trait.negative}
    assert len(trait.definition.split()) >= 15
    assert "\n" not in trait.definition
    assert 2 <= len(trait.instruction.split()) <= 8


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_sides_are_alike_in_length_and_topic(name):
    trait = read_trait(name)
    lengths = [np.mean([len(text.split()) for text in side]) for side in _sides(trait)]
    assert 0.75 <= lengths[0] / lengths[1] <= 1.35
    shared = [_content(one) & _content(other) for one, other in zip(*_sides(trait), strict=True)]
    assert np.mean([len(words) >= 1 for words in shared]) >= 0.9


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_rule_tells_a_clear_answer_from_its_opposite(name):
    rule = rule_of(read_trait(name).rule)
    positive, negative = ANSWERS[name]
    assert rule.shows(positive), rule.score(positive)
    assert not rule.shows(negative), rule.score(negative)
    assert rule.score(positive) - rule.score(negative) >= 40
    # A plain answer lies neither at the floor nor at the ceiling of what steering may do.
    assert rule.base < rule.threshold


def test_a_trait_reads_as_data_by_its_name():
    examples = read_examples("refusal")
    assert [one.label for one in examples].count("positive") == len(examples) // 2
    with pytest.raises(SondeError, match="Did you mean 'refusal'"):
        shipped_trait("refusals")
    assert (files("sonde.data.sets") / "traits" / "refusal" / "rule.json").is_file()


def test_a_rule_file_holds_what_the_rule_holds():
    for name in shipped_traits():
        given = json.loads((shipped_trait(name) / "rule.json").read_text(encoding="utf-8"))
        assert Rule.model_validate(given).threshold == given["threshold"]


def test_neutral_texts_are_many_different_and_ordinary():
    texts = [one.prompt for one in read_examples("neutral")]
    assert shipped("neutral").name == "neutral.txt"
    assert len(set(texts)) == len(texts) >= 60
    assert all(12 <= len(text.split()) <= 40 for text in texts)
    rules = {name: rule_of(read_trait(name).rule) for name in shipped_traits()}
    shown = [(name, text) for name, rule in rules.items() for text in texts if rule.shows(text)]
    assert not shown


def _sides(trait):
    return trait.positive, trait.negative


def _content(text):
    return {word.strip("?!.,:").lower() for word in text.split() if len(word) > 3}
