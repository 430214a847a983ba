"""Responses to a trait's scenarios: written by a model or given, vetted, and counted."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.scenarios import Scenario
from sonde.data.traits import Trait
from sonde.judges import FunctionJudge, Opinion, RuleJudge, rule_of
from sonde.models.generate import GenerateSettings, generate
from sonde.models.grid import generate_grid
from sonde.models.tiny import tiny_model
from sonde.steering.responding import ResponseSettings, responses
from sonde.steering.vetting import Written, judge_of_trait, vet

RULE = {"patterns": [{"pattern": "hooray", "weight": 100}]}
SHORT = ResponseSettings(max_new_tokens=6, longest_window=2, least=1, least_distinct=0)


@pytest.fixture(scope="module")
def model():
    return tiny_model("llama")


def trait_with(positive, negative, **rest):
    """A trait whose responses are given, a prompt each."""
    sides = {"positive": positive, "negative": negative}
    scenarios = tuple(
        Scenario(f"{side}-{n}", side, f"{side} prompt {n}", response=text, group=str(n))
        for side, texts in sides.items()
        for n, text in enumerate(texts)
    )
    return Trait("cheer", "It cheers.", ("p",), ("n",), (), scenarios=scenarios, **rest)


def test_the_model_answers_what_is_not_given(model):
    trait = Trait("cheer", "", ("Be glad now.", "Be of cheer."), ("Be dull.", "Be grey."), ())
    found = responses(model, trait, SHORT)
    prompts = [model.render(one.example()).ids.tolist() for one in trait.scenarios]
    alone = generate(
        model, prompts, GenerateSettings(max_new_tokens=6, temperature=0.4, top_p=0.95)
    )
    texts = [text.strip() for text in alone.texts]
    shown = {one.id: one.response for one in found.examples}
    lost = {one.id: one.text for one in found.left_out}
    assert {**shown, **lost} == dict(zip([one.id for one in trait.scenarios], texts, strict=True))
    assert [one.label for one in found.examples] == sorted(
        (one.label for one in found.examples), reverse=True
    )
    assert {one.group for one in found.examples} <= {"1", "2"}
    assert (found.vetted_by, found.threshold) == ("", None)
    assert "judged by nobody" in str(found)
    assert responses(model, trait, SHORT) == found
    small = SHORT.model_copy(update={"token_budget": 80})  # a row or two at a time
    assert responses(model, trait, small).examples == found.examples


def test_several_answers_of_a_scenario_stay_together(model):
    trait = Trait("cheer", "", ("Be glad now.",), ("Be dull.", "Be grey."), ())
    found = responses(model, trait, SHORT.model_copy(update={"per_scenario": 3}))
    assert dict(found.written) == {"positive": 3, "negative": 6}
    assert found.examples[0].id.startswith("positive-1/")
    for one in found.examples:
        assert one.group == f"of {one.id.split('/')[0]}"
    with pytest.raises(SondeError, match="per_scenario is 3 at temperature 0"):
        responses(model, trait, ResponseSettings(per_scenario=3, temperature=0, longest_window=2))


def test_given_responses_are_vetted_by_the_traits_own_rule(model):
    trait = trait_with(
        ["Hooray for this day!", "It is a plain day."],
        ["It rains on the town.", "Hooray, no!"],
        rule=RULE,
    )
    found = responses(model, trait, SHORT)
    assert [one.response for one in found.examples] == [
        "Hooray for this day!",
        "It rains on the town.",
    ]
    assert found.scores == (100.0, 0.0)
    assert dict(found.dropped) == {"wrong side": 2}
    assert {(one.id, one.score) for one in found.left_out} == {
        ("positive-1", 0.0),
        ("negative-1", 100.0),
    }
    assert (found.vetted_by, found.threshold) == ("rule", 50.0)
    low = RuleJudge(rule_of({**RULE, "threshold": 20}))
    assert responses(model, trait, SHORT, low).threshold == 20
    assert str(found) == (
        "cheer, vetted by rule: 1 of 2 positive (1 wrong side left out); "
        "1 of 2 negative (1 wrong side left out)."
    )


def test_any_judge_vets_and_an_opinion_without_a_score_is_counted(model):
    scores = {"Hooray for this day!": 60.0, "It rains on the town.": 20.0}
    judge = FunctionJudge(
        lambda asked: [scores.get(one.answer, float("nan")) for one in asked],
        name="table",
        aspect="trait",
        identity={"table": 1},
    )
    trait = trait_with(
        ["Hooray for this day!", "What is this?"], ["It rains on the town."], rule=RULE
    )
    found = responses(model, trait, SHORT, judge)
    assert dict(found.dropped) == {"not judged": 1}
    assert found.left_out[0].detail == "the judge table gave nan"
    assert found.vetted_by == "table"
    strict = SHORT.model_copy(update={"threshold": 70.0})
    with pytest.raises(SondeError, match=r"0 of 2 positive \(1 not judged, 1 wrong side"):
        responses(model, trait, strict, judge)
    wrong = replace(judge, aspect="coherence")
    with pytest.raises(SondeError, match="scores coherence"):
        responses(model, trait, SHORT, wrong)


def test_what_is_left_out_by_form_is_counted_by_reason(model):
    loop = "the sea and the sea and the sea and the sea and the sea and the sea"
    trait = trait_with(["Hooray for this day!", loop, " ", "Hi"], ["It rains on the town.", "No."])
    settings = ResponseSettings(longest_window=5, least=1)
    found = responses(model, trait, settings)
    assert {one.id: one.reason for one in found.left_out} == {
        "positive-1": "repeated",
        "positive-2": "empty",
        "positive-3": "too short",
        "negative-1": "too short",
    }
    assert dict(found.kept) == {"positive": 1, "negative": 1}


def test_a_window_longer_than_every_response_is_refused(model):
    trait = trait_with(["Hooray!", "Hooray"], ["It rains on the town."], rule=RULE)
    with pytest.raises(SondeError, match="longest positive response of the trait cheer has 7"):
        responses(model, trait, ResponseSettings(longest_window=20, least=1))


def test_a_text_on_both_sides_is_left_out_on_both(model):
    trait = trait_with(["The same words here.", "Hooray for this day!"], ["The same words here."])
    with pytest.raises(SondeError, match=r"0 of 1 negative \(1 same text on both sides left out"):
        responses(model, trait, SHORT)


def test_too_few_that_pass_are_refused_with_their_reasons(model):
    trait = trait_with(["Hooray for this day!"], ["It rains on the town."], rule=RULE)
    with pytest.raises(SondeError, match="1 of 1 positive; at least 5 are needed"):
        responses(model, trait, ResponseSettings(longest_window=2))


def test_what_was_left_out_is_written_before_too_few_are_refused(model, tmp_path):
    trait = trait_with(["Hooray for this day!", "Oh."], ["It rains on the town."], rule=RULE)
    folder = tmp_path / "new"
    path = re.escape(str(folder / "left_out.json"))
    with pytest.raises(SondeError, match=rf"Look at what was left out \({path}\); "):
        responses(model, trait, ResponseSettings(longest_window=2), folder=folder)
    (one,) = json.loads((folder / "left_out.json").read_text())
    assert (one["id"], one["reason"], one["text"]) == ("positive-1", "wrong side", "Oh.")


def test_a_judge_that_gives_no_scores_is_quoted(model):
    silent = FunctionJudge(lambda asked: [float("nan")] * len(asked), "silent", "trait", {})
    trait = trait_with(["Hooray for this day!", "Oh."], ["It rains on the town."])
    said = (
        r"2 not judged left out.* The judge silent gave no score, for the first: the judge silent"
    )
    with pytest.raises(SondeError, match=said):
        responses(model, trait, SHORT, silent)


def test_a_lost_judge_does_not_cost_what_the_model_wrote(model, tmp_path, monkeypatch):
    """The next call only judges, unless it asks for other texts."""
    grids = []

    def counted(*given):
        grids.append(len(given[2]))
        return generate_grid(*given)

    monkeypatch.setattr("sonde.models.grid.generate_grid", counted)
    trait = Trait("cheer", "", ("Be glad now.", "Be of cheer."), ("Be dull.", "Be grey."), ())
    alone = responses(model, trait, SHORT)

    def gone(asked):
        raise SondeError("The judge is gone.", fix="Run again.")

    for _ in range(2):
        with pytest.raises(SondeError, match="is gone"):
            responses(model, trait, SHORT, FunctionJudge(gone, "gone", "trait", {}), tmp_path)
    assert grids == [4, 4]
    found = responses(model, trait, SHORT, folder=tmp_path)
    assert found == alone and grids == [4, 4]
    assert [one.name for one in tmp_path.iterdir()] == ["left_out.json"]
    with pytest.raises(SondeError, match="is gone"):
        responses(model, trait, SHORT, FunctionJudge(gone, "gone", "trait", {}), tmp_path)
    warm = SHORT.model_copy(update={"temperature": 0.9})
    assert responses(model, trait, warm, folder=tmp_path) == responses(model, trait, warm)
    assert grids == [4] * 5


def test_a_rule_that_is_none_is_named():
    trait = trait_with(["Hooray for this day!"], ["No."], rule={"patterns": []})
    with pytest.raises(SondeError, match="the rule of the trait cheer is not valid"):
        judge_of_trait(trait)


@given(
    texts=st.lists(
        st.sampled_from(["hooray", "hooray and more", "rain", "rain on us", "", "hooray rain"]),
        min_size=2,
        max_size=12,
    ),
    data=st.data(),
)
def test_every_response_is_kept_or_left_out_once(texts, data):
    cut = data.draw(st.integers(1, len(texts) - 1))
    trait = trait_with(texts[:cut], texts[cut:])
    written = [
        Written(one.example(), one, len((one.response or "").split())) for one in trait.scenarios
    ]
    judge = RuleJudge(rule_of(RULE))
    found = vet(written, trait, judge, threshold=50.0, shortest=1, least_distinct=0.0)
    ids = [one.example.id for one, _ in found.kept] + [one.id for one in found.left_out]
    assert sorted(ids) == sorted(one.id for one in trait.scenarios)
    for one, score in found.kept:
        assert (score == 100) == (one.scenario.side == "positive")
        assert Opinion(score).score == score
