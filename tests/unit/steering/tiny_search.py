"""A tiny random model with a direction that writes one letter, for the tests of the search."""

from functools import lru_cache

import numpy as np

from sonde.activations.origin import Origin
from sonde.core.hooks import HookPoint, Site
from sonde.judges import FunctionJudge
from sonde.models.forward import forward, pad_batch
from sonde.models.tiny import tiny_model
from sonde.steering import Judges, ScreenSettings, SearchSettings, SteeringTask, open_session
from sonde.vectors import Vector

LETTER = "e"
QUESTIONS = tuple(f"What is {number}?" for number in range(9))
TASK = SteeringTask("letter", f"It writes {LETTER}.", QUESTIONS)
LAYER = 2  # the last


@lru_cache(maxsize=1)
def tiny():
    return tiny_model("llama")


def planted(layer=LAYER, method="planted", **changes):
    """The direction in which the letter's own logit rises fastest, after the last block."""
    model = tiny()
    (token,) = model.tokenizer.encode(LETTER, add_special_tokens=False)
    gain = model.decoder.norm.weight.detach()
    direction = model.hf.lm_head.weight.detach()[token] * gain
    given = {
        "method": method,
        "hook": HookPoint(layer, Site.RESID_POST),
        "position": "response[:5].mean",
        "direction": direction / direction.norm(),
        "origin": Origin(model=model.info.name),
        "typical_norm": typical_norm(layer),
    }
    return Vector(**{**given, **changes})


@lru_cache(maxsize=4)
def typical_norm(layer):
    model = tiny()
    hook = HookPoint(layer, Site.RESID_POST)
    batch = pad_batch(TASK.prompts(model))
    return float(forward(model, batch, capture=[hook]).activations[hook].norm(dim=-1).median())


def letter_judge(calls=None):
    """The share of an answer that is the letter, of 100; ``calls`` counts what it is asked."""

    def share(asked):
        if calls is not None:
            calls.append(len(asked))
        return [100 * one.answer.count(LETTER) / max(1, len(one.answer)) for one in asked]

    return FunctionJudge(share, "letter", "trait", {"letter": LETTER})


def settings(**changes):
    screen = {"questions": 2, "tokens": 4, **changes.pop("screen", {})}
    given = {"max_new_tokens": 6, "points": 3, "refinements": 1, "folds": 3, "template": "none"}
    return SearchSettings(screen=ScreenSettings(**screen), **{**given, **changes})


def session(folder=None, task=TASK, **changes):
    return open_session(tiny(), task, settings(**changes), folder=folder)


def judges(calls=None):
    return Judges(letter_judge(calls))


def same_answers(one, other, exactly=True):
    """Whether two searches hold the same arms, texts and numbers; likelihoods up to rounding."""
    near = np.array_equal if exactly else np.allclose
    return (
        one.arms == other.arms
        and one.answers.text == other.answers.text
        and np.array_equal(one.answers.trait, other.answers.trait)
        and near(one.answers.log_likelihood, other.answers.log_likelihood)
    )
