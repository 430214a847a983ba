"""What steering is tried on: the questions and the words of the plain prompt."""

import pytest
from tests.unit.steering.tiny_search import tiny

from sonde.core.errors import SondeError
from sonde.models.render import RenderSettings
from sonde.steering import SteeringTask

PLAIN = RenderSettings(template="none")


def text_of(ids):
    return tiny().tokenizer.decode(list(ids))


def test_questions_are_put_in_their_frame_after_the_instruction():
    task = SteeringTask("joy", "It is glad.", ("Why?", "Who?"), frame="Q: {question}\nA:")
    assert [text_of(ids) for ids in task.prompts(tiny(), render=PLAIN)] == [
        "Q: Why?\nA:",
        "Q: Who?\nA:",
    ]
    assert task.asked_plainly == "Answer in a way that shows this clearly: It is glad."
    said = text_of(task.prompts(tiny(), "Be glad.", PLAIN)[1])
    assert said == "Be glad.\n\nQ: Who?\nA:"
    assert SteeringTask("joy", "It is glad.", ("Why?",), "Be glad.").asked_plainly == "Be glad."
    assert SteeringTask("joy", "", ("Why?",)).asked_plainly == ""


def test_a_question_may_hold_braces():
    task = SteeringTask("joy", "", ("What is {x} in {question}?",), frame="Q: {question}")
    assert text_of(task.prompts(tiny(), render=PLAIN)[0]) == "Q: What is {x} in {question}?"


def test_the_key_changes_with_what_is_asked():
    task = SteeringTask("joy", "It is glad.", ("Why?", "Who?"))
    keys = {
        one.key
        for one in (
            task,
            SteeringTask("joy", "It is glad.", ("Why?",)),
            SteeringTask("joy", "It is very glad.", ("Why?", "Who?")),
            SteeringTask("joy", "It is glad.", ("Why?", "Who?"), "Be glad."),
            SteeringTask("joy", "It is glad.", ("Why?", "Who?"), frame="Q: {question}"),
        )
    }
    assert len(keys) == 5


def test_questions_that_cannot_be_asked_are_refused():
    with pytest.raises(SondeError, match="has no questions, or an empty one"):
        SteeringTask("joy", "", ())
    with pytest.raises(SondeError, match="has no questions, or an empty one"):
        SteeringTask("joy", "", ("Why?", "  "))
    with pytest.raises(SondeError, match=r"'Why\?' stands twice"):
        SteeringTask("joy", "", ("Why?", "Who?", "Why?"))
    with pytest.raises(SondeError, match="no place for the question"):
        SteeringTask("joy", "", ("Why?",), frame="Q:")
    with pytest.raises(SondeError, match="1 groups and 2 questions"):
        SteeringTask("joy", "", ("Why?", "Who?"), groups=("a",))
