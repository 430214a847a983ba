"""Judges from an experiment file: each kind made, each mistake named."""

import gc
import json
from weakref import ref

import pytest
from pydantic import TypeAdapter

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.judges import (
    Asked,
    CachedJudge,
    CoherenceRules,
    JudgeSettings,
    RuleJudge,
    RuleJudgeSettings,
    ServerJudge,
    judge_of,
    rule_of,
)
from sonde.judges.from_settings import MAKERS
from sonde.models.loading import load

RULE = rule_of({"patterns": [{"pattern": "yes", "weight": 100}]})


class Holder(Config):
    """Settings that hold a judge's, as a stage does."""

    judge: JudgeSettings


def settings_of(**given):
    return validated(Holder, {"judge": given}, where="the file").judge


def test_every_kind_has_a_maker():
    kinds = TypeAdapter(JudgeSettings).core_schema["choices"]
    assert len(kinds) == len(MAKERS)
    assert {kind.model_fields["kind"].default for kind in MAKERS} == set(kinds)


def test_rules_take_the_traits_own_rule_or_a_file(tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"patterns": [{"pattern": "no", "weight": 100}]}))
    asked = [Asked("Why?", "yes")]
    own = judge_of(settings_of(kind="rules"), "trait", rule=RULE)
    other = judge_of(settings_of(kind="rules", rule=str(path)), "trait", rule=RULE)
    assert isinstance(own, RuleJudge)
    assert (own.score(asked)[0].score, other.score(asked)[0].score) == (100, 0)
    german = judge_of(settings_of(kind="rules", coherence={"common": None}), "coherence")
    assert isinstance(german, CoherenceRules)
    assert german.settings.common is None


def test_a_trait_without_a_rule_is_named():
    with pytest.raises(SondeError, match=r"Rules are to judge a trait that has none\. Write rule"):
        judge_of(RuleJudgeSettings(), "trait")


def test_a_server_is_cached_and_rules_are_not(tmp_path):
    server = settings_of(kind="server", url="http://127.0.0.1:8000/v1", model="m")
    judge = judge_of(server, "coherence", cache=tmp_path / "opinions")
    assert isinstance(judge, CachedJudge)
    assert isinstance(judge.judge, ServerJudge)
    assert (judge.name, judge.aspect) == ("m", "coherence")
    assert isinstance(judge_of(RuleJudgeSettings(), "trait", rule=RULE, cache=tmp_path), RuleJudge)


def test_a_local_judge_is_loaded():
    tiny = {"name": "random:llama", "check": False}
    judge = judge_of(
        settings_of(kind="local", model=tiny, least_mass=1e-6, rubric="{answer} {ask}"),
        "coherence",
    )
    (found,) = judge.score([Asked("Why?", "fine")])
    assert judge.aspect == "coherence"
    assert 0 <= found.score <= 100


def test_judges_of_one_local_model_share_it_while_one_is_in_use(monkeypatch):
    loads = []

    def counted(given):
        loads.append(given)
        return load(given)

    monkeypatch.setattr("sonde.models.loading.load", counted)
    tiny = {"name": "random:llama", "check": False}
    trait = judge_of(settings_of(kind="local", model=tiny), "trait")
    coherence = judge_of(settings_of(kind="local", model=tiny, least_mass=0.1), "coherence")
    assert trait.model is coherence.model and len(loads) == 1
    other = judge_of(settings_of(kind="local", model={**tiny, "seed": 1}), "trait")
    assert other.model is not trait.model and len(loads) == 2
    held = ref(trait.model)
    del trait, coherence
    gc.collect()
    assert held() is None
    judge_of(settings_of(kind="local", model=tiny), "trait")
    assert len(loads) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "servr"}, "Did you mean 'server'"),
        ({"kind": "server", "url": "ftp://x", "model": "m"}, r"judge.server.url is 'ftp://x'"),
        ({"kind": "server", "url": "http://me:secret@x", "model": "m"}, "does not fit"),
        ({"kind": "server", "url": "http://x/v1", "model": "m", "api_key": "sk"}, "api_key_env"),
        ({"kind": "local", "model": "m", "least_mass": 0}, "which is too low"),
        ({"kind": "local", "model": "m", "rubric": "{answer}?"}, "the rubric lacks {ask}"),
    ],
)
def test_a_wrong_setting_is_named(given, said):
    with pytest.raises(SondeError, match=said):
        settings_of(**given)
