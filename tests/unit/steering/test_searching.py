"""The search, on a tiny random model with a direction that writes one letter."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.unit.steering.tiny_search import (
    LETTER,
    TASK,
    judges,
    letter_judge,
    planted,
    same_answers,
    session,
    settings,
    tiny,
)

from sonde.core.edits import When
from sonde.core.errors import SondeError
from sonde.judges import FunctionJudge
from sonde.models.forward import forward, pad_batch
from sonde.steering import (
    Arm,
    Candidate,
    How,
    JudgedCoherence,
    Judges,
    PerplexityCap,
    ScreenSettings,
    search,
)
from sonde.steering.evaluation import evaluation_table

WIDE = PerplexityCap(times=20)


@pytest.fixture(scope="module")
def found():
    return search(session(limit=WIDE), [planted()], judges())


def test_a_planted_direction_steers_by_the_amount_predicted():
    """After the last block: logits = W gain · (x + c n v) / rms(x + c n v), n the typical norm."""
    model, vector = tiny(), planted()
    batch = pad_batch(TASK.prompts(model)[:3])
    x = forward(model, batch, capture=[vector.hook]).activations[vector.hook].double()
    for coefficient in (-1.0, 0.3, 2.0):
        edits = Candidate(vector, coefficient, How(when=When.BOTH)).edits()
        got = forward(model, batch, edits=edits, logits=True).logits
        moved = x + coefficient * vector.typical_norm * vector.direction.double()
        rms = (moved.square().mean(dim=-1, keepdim=True) + model.hf.config.rms_norm_eps).sqrt()
        gain = model.decoder.norm.weight.detach().double()
        expected = (moved / rms * gain) @ model.hf.lm_head.weight.detach().double().T
        torch.testing.assert_close(got.double(), expected, atol=1e-4, rtol=1e-4)


def test_the_planted_direction_is_found_to_work(found):
    best = found.best(found.select(method="planted"))
    assert best.found and best.trait.value > 0.5
    assert best.change.interval.low > 0.2
    assert best.choice.trait.max() == 100  # answers of nothing but the letter
    rows = {row.name.split("@")[0]: row for row in evaluation_table(found)}
    assert set(rows) == {"unsteered", "prompt", "planted", "random"}
    assert rows["random"].trait.value < 0.2 and rows["random"].is_control
    assert LETTER * 5 in "".join(found.answers.text[best.choice.overall])


def test_all_curves_are_kept(found):
    for vector in found.vectors:
        curve = found.of_vector(vector.name)
        assert len(curve) >= 3
        coefficients = [found.arms[arm].coefficient for arm in curve]
        assert coefficients == sorted(coefficients)
        raws = [found.arms[arm].raw for arm in curve]
        assert raws == pytest.approx([one * vector.typical_norm for one in coefficients])
    assert all(len(row) == 9 for row in found.answers.text)
    assert np.isfinite(found.answers.trait).all()


@pytest.mark.parametrize("start", [0.1, 10.0])
def test_from_a_tenfold_wrong_base_everything_is_the_same(found, start):
    other = search(session(limit=WIDE, screen={"start": start}), [planted()], judges())
    for one, two in zip(found.cliffs, other.cliffs, strict=True):
        assert (one.vector, one.coherent, one.incoherent) == (
            two.vector,
            two.coherent,
            two.incoherent,
        )
        assert two.incoherent == pytest.approx(two.coherent * 2**0.25)
    assert same_answers(found, other)


class Stopped(BaseException):
    """As if the machine had stopped."""


def test_a_search_that_was_stopped_goes_on_where_it_was(found, tmp_path):
    calls: list[int] = []

    def stopping(asked):
        if len(calls) == 2:
            raise Stopped
        return whole.function(asked)

    whole = letter_judge(calls)
    stops = FunctionJudge(stopping, whole.name, whole.aspect, whole.identity)
    changes = {"limit": WIDE, "chunk": 23}
    with pytest.raises(Stopped):
        search(session(tmp_path, **changes), [planted()], Judges(stops))
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])  # in the middle of the last line
    seen = sum(calls)
    resumed = search(session(tmp_path, **changes), [planted()], Judges(whole))
    fresh: list[int] = []
    assert same_answers(resumed, search(session(**changes), [planted()], judges(fresh)))
    assert same_answers(resumed, found, exactly=False)  # however the rows were cut into chunks
    assert seen < sum(calls) <= sum(fresh) + calls[1]  # at most what was cut off is judged again
    length = journal.stat().st_size
    again = search(session(tmp_path, **changes), [planted()], Judges(whole))
    assert same_answers(again, resumed)
    assert journal.stat().st_size == length  # nothing was left to do


def test_less_of_a_trait_is_searched_by_negative_coefficients():
    least = session(limit=WIDE, towards="less", screen={"questions": 1}, points=1, refinements=0)
    judge = FunctionJudge(lambda asked: [60.0] * len(asked), "even", "trait", {})
    found = search(least, [planted()], Judges(judge))
    coefficients = [arm.coefficient for arm in found.arms if arm.role == "steered"]
    assert coefficients and all(one < 0 for one in coefficients)


def test_coherence_may_be_judged():
    """A judge that calls a text coherent unless it has four of the letter."""

    def coherent(asked):
        return [20.0 if one.answer.count(LETTER) > 3 else 90.0 for one in asked]

    both = Judges(letter_judge(), FunctionJudge(coherent, "letters", "coherence", {"most": 3}))
    limit = JudgedCoherence(at_least=70)
    found = search(session(limit=limit, refinements=2), [planted()], both)
    best = found.best(found.select(method="planted"))
    kept = found.within_limit()
    assert kept[0] and not kept.all()
    assert found.coherence(0).value > 0.8  # an empty answer scores 0
    assert best.coherence.value >= 0.6
    strongest = found.of_vector(planted().name)[-1]
    assert found.trait(strongest).value > best.trait.value  # beyond the limit there is more


def test_what_cannot_be_searched_is_refused():
    coherence = FunctionJudge(lambda asked: [90.0] * len(asked), "all", "coherence", {})
    with pytest.raises(SondeError, match="scores coherence, and was given for trait"):
        search(session(), [planted()], Judges(coherence))
    with pytest.raises(SondeError, match="no judge scores coherence"):
        search(session(limit=JudgedCoherence()), [planted()], judges())
    with pytest.raises(SondeError, match="2 vectors of 1 names"):
        search(session(), [planted(), planted()], judges())
    with pytest.raises(SondeError, match="0 vectors"):
        search(session(), [], judges())
    with pytest.raises(SondeError, match="has no typical norm"):
        search(session(), [planted(typical_norm=None)], judges())
    with pytest.raises(SondeError, match="overflows"):
        search(session(screen={"start": 1e30, "highest": 1e31}), [planted()], judges())
    with pytest.raises(SondeError, match="was made from other"):
        origin = planted().origin.model_copy(update={"model": "other"})
        search(session(), [planted(origin=origin)], judges())


def test_a_strict_judge_is_followed_to_where_it_is_content():
    """Far below the screen's cliff, with one refinement: the search goes down until it is."""
    unsteered = {one.text for one in session().answers([(Arm(), q) for q in range(9)])}

    def strict(asked):
        return [90.0 if one.answer in unsteered else 0.0 for one in asked]

    both = Judges(letter_judge(), FunctionJudge(strict, "strict", "coherence", {}))
    screen = {"perplexity_times": 200, "max_divergence": 20}
    found = search(session(limit=JudgedCoherence(at_least=70), screen=screen), [planted()], both)
    kept = found.within_limit()
    for vector in found.vectors:
        curve = kept[found.of_vector(vector.name)]
        assert curve[0] and not curve.all()
        assert (np.diff(curve.astype(int)) <= 0).all()  # nothing counts beyond a break
    assert found.best(found.select(method="planted")).found


def test_divergence_binds_a_limit_of_perplexity():
    """Texts of one letter are likely: only the screen's divergence sees that they are broken."""
    found = search(session(limit=WIDE, screen={"max_divergence": 0.2}), [planted()], judges())
    diverged = found.cliffs[0].diverged
    kept = found.within_limit()
    curve = found.of_vector(found.vectors[0].name)
    assert diverged is not None
    for arm in curve:
        assert kept[arm] == (found.arms[arm].coefficient < diverged)
    assert found.best([curve[-1]]).found == (found.arms[curve[-1]].coefficient < diverged)


def test_a_control_lies_at_each_layer_that_is_steered():
    given = [planted(), planted(layer=1), planted(layer=1, method="random")]
    found = search(session(limit=WIDE, points=1, refinements=0), given, judges())
    names = sorted(one.name for one in found.vectors if one.method == "random")
    assert [name.split("@")[-1] for name in names] == [
        "blocks.1.resid_post",
        "blocks.2.resid_post",
    ]


def test_a_search_that_reaches_nothing_is_refused_at_once():
    with pytest.raises(ValidationError, match="`start`, 100000, lies outside"):
        ScreenSettings(start=1e5)
    with pytest.raises(ValidationError, match="`lowest`, 8, is to lie below `highest`, 2"):
        ScreenSettings(lowest=8, highest=2)
    with pytest.raises(ValidationError, match="window 5 to 2 of generated tokens, which is empty"):
        settings(steps=(5, 2))
    with pytest.raises(ValidationError, match="`when` is prompt"):
        settings(steps=(0, 2), when="prompt")
