"""Room for a trait: a ceiling is refused, and other frames are suggested."""

import pytest
from tests.unit.steering.tiny_search import judges, planted, session

from sonde.core.errors import SondeError
from sonde.judges import FunctionJudge, Opinion
from sonde.judges.judge import nothing_to_judge
from sonde.judges.off_scale import opinion_of
from sonde.judges.scales import Expected
from sonde.steering import Arm, Judges, search
from sonde.steering.room import FRAMES, check_room, scan_frames


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
