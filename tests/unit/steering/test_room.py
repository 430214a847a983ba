"""Room for a trait: a ceiling is refused, and other frames are suggested."""

from dataclasses import replace

import pytest
import torch
from tests.unit.steering.made_answers import made_answers
from tests.unit.steering.tiny_search import TASK, judges, planted, session, settings

from sonde.core.errors import SondeError
from sonde.judges import FunctionJudge, Opinion
from sonde.judges.judge import nothing_to_judge
from sonde.judges.off_scale import opinion_of
from sonde.judges.scales import Expected
from sonde.models.tiny import tiny_model
from sonde.steering import Arm, Judges, open_session, search
from sonde.steering.room import FRAMES, _check_written, check_room, scan_frames


def test_a_trait_that_is_not_there_leaves_room():
    own = check_room(session(), judges())
    assert own.headroom.enough and own.unsteered.value < 0.2
    assert own.frame == "{question}"


def test_a_trait_at_the_ceiling_is_refused():
    always = Judges(FunctionJudge(lambda asked: [100.0] * len(asked), "always", "trait", {}))
    with pytest.raises(SondeError, match="cannot show a higher score of letter") as error:
        search(session(), [planted()], always)
    assert "the ceiling of 1" in error.value.what
    assert "choose other questions, or steer towards less" in error.value.fix


def test_frames_with_room_are_suggested():
    """A judge that scores what the unsteered model answers 95, and all else 40."""
    plain = session()
    usual = {one.text for one in plain.answers([(Arm(), number) for number in range(9)])}
    judge = FunctionJudge(
        lambda asked: [95.0 if one.answer in usual else 40.0 for one in asked], "usual", "trait", {}
    )
    with pytest.raises(SondeError, match="Put the questions in another frame") as error:
        check_room(plain, Judges(judge))
    assert sum(repr(frame) in error.value.fix for frame in FRAMES[1:]) == 3
    found = scan_frames(plain, Judges(judge))
    assert [one.frame for one in found][-1] == "{question}"
    assert [one.headroom.enough for one in found] == [True] * 5 + [False]
    # The other way there is room, and the frames that suit it are others.
    assert check_room(session(towards="less"), Judges(judge)).headroom.enough


def test_a_judge_that_scores_hardly_anything_is_named():
    silent = FunctionJudge(lambda asked: [float("nan")] * len(asked), "silent", "trait", {})
    said = (
        r"silent scored 0 of the 8 unsteered answers that are not empty\. The commonest reason "
        r"\(8 of 8\): the judge silent gave nan\."
    )
    with pytest.raises(SondeError, match=said):
        check_room(session(), Judges(silent))


class Beside:
    """A judge of a few answers whose probability lies beside its scale; one is another case."""

    name, aspect = "beside", "trait"

    def key(self):
        return {"kind": "beside"}

    def score(self, asked):
        found = [nothing_to_judge(one) or self.opinion(at) for at, one in enumerate(asked)]
        return [Opinion(None, reason="the server refused"), *found[1:]]

    def opinion(self, at):
        return opinion_of(Expected(50.0, at / 100), 0.5, said=f"Hm {at}")


def test_the_commonest_reason_is_quoted_with_its_mass():
    said = (
        r"beside scored 0 of the 8 .* \(7 of 8\): 1.0% of the judge's probability is on the scale, "
        r"less than 50%; it said 'Hm 1'\. There the median mass on its scale is \d\.\d%\."
    )
    with pytest.raises(SondeError, match=said):
        check_room(session(), Judges(Beside()))


class Picky:
    """A judge that finds all answers at the ceiling, and has no score of some calls."""

    name, aspect = "picky", "trait"

    def __init__(self, scored):
        self.scored, self.calls = scored, 0

    def key(self):
        return {"kind": "picky"}

    def score(self, asked):
        self.calls += 1
        if self.scored(self.calls):
            return [Opinion(100.0) for _ in asked]
        return [nothing_to_judge(one) or Opinion(None, reason="it says no number") for one in asked]


def test_a_frame_without_a_score_does_not_hide_the_refusal():
    picky = Picky(lambda call: call != 2)
    with pytest.raises(SondeError, match="cannot show a higher score of letter") as error:
        check_room(session(), Judges(picky))
    assert picky.calls == len(FRAMES)
    assert "No other way to put the questions" in error.value.fix
    assert f"Left out, for no score could be had of them: {FRAMES[1]!r}" in error.value.fix
    assert "it says no number" in error.value.fix and repr(FRAMES[2]) not in error.value.fix


def test_a_scan_on_its_own_says_what_failed():
    with pytest.raises(SondeError, match="picky scored 0 of the"):
        scan_frames(session(), Judges(Picky(lambda call: call != 2)), FRAMES[:3])


def test_a_model_that_writes_nothing_is_refused():
    model = tiny_model("llama")
    with torch.no_grad():
        model.hf.lm_head.weight.zero_()  # token 0 is always the best, and ends the text
    model.hf.generation_config.eos_token_id = 0
    silent = open_session(model, TASK, settings())
    assert not "".join(one.text for one in silent.answers([(Arm(), at) for at in range(9)]))
    with pytest.raises(SondeError, match="9 of the 9 unsteered answers are empty") as error:
        check_room(silent, judges())
    for words in ("chat template", "end-of-text token", "`search.max_new_tokens` is 6"):
        assert words in error.value.fix


def test_two_answers_with_words_are_enough():
    made = made_answers([[0.0] * 4])
    blank = replace(made, text=((" ", "one", "", "two"),))
    _check_written(blank, 6)
    with pytest.raises(SondeError, match=r"3 of the 4 unsteered .*; 3 of them were ended by"):
        _check_written(replace(made, text=((" ", "one", "", "\n"),)), 6)
