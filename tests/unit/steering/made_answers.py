"""Answers made by hand, for the tests of what is chosen and quoted."""

import numpy as np

from sonde.steering.answers import Answers
from sonde.steering.arms import ArmRow, SteeredBy
from sonde.steering.cliffs import Cliff, ScreenPoint
from sonde.steering.results import SteeringResults
from sonde.steering.settings import SearchSettings
from sonde.steering.task import SteeringTask


def made_answers(trait, coherence=None, surprise=1.0):
    """Answers of ten tokens each; ``surprise`` is nats a token, by arm or by arm and question."""
    trait = np.asarray(trait, float)
    n_arms, n_questions = trait.shape
    nats = np.broadcast_to(np.asarray(surprise, float).reshape(-1, 1), trait.shape)
    given = np.full(trait.shape, np.nan) if coherence is None else np.asarray(coherence, float)
    return Answers(
        text=tuple(
            tuple(f"answer {arm} {question}" for question in range(n_questions))
            for arm in range(n_arms)
        ),
        n_tokens=np.full(trait.shape, 10),
        finished=np.ones(trait.shape, bool),
        margin=np.full(trait.shape, np.inf),
        log_likelihood=-10 * nats,
        trait=trait,
        mass=np.full(trait.shape, np.nan),
        coherence=np.broadcast_to(given, trait.shape).copy(),
        reasons=tuple(("",) * n_questions for _ in range(n_arms)),
    )


def steered_by(method, layer, position="response[:5].mean"):
    name = f"{method}@{position}@blocks.{layer}.resid_post"
    return SteeredBy(
        name=name,
        method=method,
        cleaning="none",
        hook=f"blocks.{layer}.resid_post",
        layer=layer,
        position=position,
        typical_norm=10.0,
        massive_share=0.25,
    )


def made_results(answers, vectors, coefficients=(0.5, 1.0), settings=None):
    """Results of an unsteered arm, a plain prompt, and each vector at each coefficient."""
    steered = [
        ArmRow(role="steered", vector=vector.name, coefficient=one, raw=10 * one)
        for vector in vectors
        for one in coefficients
    ]
    questions = tuple(f"Question {number}?" for number in range(answers.trait.shape[1]))
    points = (ScreenPoint(0.5, 0.1, 1.2, True), ScreenPoint(2.0, 3.0, float("nan"), False))
    return SteeringResults(
        task=SteeringTask("enthusiasm", "It is lively.", questions),
        settings=settings or SearchSettings(),
        vectors=tuple(vectors),
        cliffs=tuple(Cliff(vector.name, 0.5, 2.0, points) for vector in vectors),
        arms=(ArmRow(role="unsteered"), ArmRow(role="prompt"), *steered),
        answers=answers,
        judges={"trait": {"kind": "made up"}, "coherence": None},
        model={"name": "tiny"},
        warnings=("Read this.",),
    )
