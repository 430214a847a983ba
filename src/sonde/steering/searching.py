"""The search: the coherence cliff of each vector, then the curve of its trait below the cliff.

Both ends of what a search may miss are closed. The pre-screen brackets the cliff wherever it is, so
that a base coefficient tenfold too large or too small costs some rounds and changes nothing. And
the best coefficient is chosen by some questions and scored on the others, so that the best of many
is not quoted at its luckiest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from sonde.core.edits import Gate, Scope, When
from sonde.core.errors import SondeError
from sonde.steering.answering import Session
from sonde.steering.answers import Answers
from sonde.steering.arms import RANDOM, ArmRow, SteeredBy
from sonde.steering.candidates import Arm, Candidate, How
from sonde.steering.cautions import cautions
from sonde.steering.cliffs import Cliff
from sonde.steering.controls import joint_control
from sonde.steering.gates import check_gate, open_share
from sonde.steering.joint import JointVectors, Steerable
from sonde.steering.judging import judged
from sonde.steering.lattice import Lattice, Reach
from sonde.steering.limits import within
from sonde.steering.results import SteeringResults
from sonde.steering.room import check_room
from sonde.steering.scoring import Judges, cost_of
from sonde.steering.screening import lattice_of, reach_of, screen
from sonde.steering.session import described
from sonde.steering.settings import PerplexityCap
from sonde.steering.units import check_coefficient
from sonde.steering.used_gate import UsedGate


def search(
    session: Session,
    vectors: Iterable[Steerable],
    judges: Judges,
    *,
    gate: Gate | None = None,
    progress: bool = True,
) -> SteeringResults:
    """Search each vector's coefficients, and keep all curves.

    An entry that is a list of vectors, at several layers, is steered at all of them at once with
    one coefficient, each in its own typical norm: one more point of the search. With a ``gate``
    edits reach only the tokens that it is open at (``probe_gate``); the screen steers all tokens.

    First the screen finds each vector's cliff. Then the questions are put to the steered model at
    some coefficients below the cliff and one above; what lies between the last within the limit and
    the first beyond it is halved. The unsteered model, the plain prompt and, where none was given,
    a random vector at each hook point are always among the arms. The session's journal keeps
    answers and opinions as they come, so a search that was stopped goes on where it was.

    Raises:
        SondeError: a vector is of another model, or has no unit; a coefficient overflows; the gate
            lies after what is steered; a judge is of the wrong aspect, or fails; the unsteered
            model leaves no room for the trait.
    """
    settings = session.settings
    judges.check(settings.limit)
    searched, notes = _searched(session, vectors)
    if gate is not None:
        check_gate(gate, searched)
    how = How(settings.kind, When(settings.when), settings.steps, gate)
    plain = [Arm(), *([Arm(instruction=words)] if (words := session.task.asked_plainly) else [])]
    for vector in searched:
        check_coefficient(vector, settings.screen.start, session.model.dtype)
    check_room(session, judges)
    # Without the gate: means over all tokens hardly see what an edit does at few of them, and a
    # rare gate would have no cliff up to coefficients of thousands.
    cliffs = screen(session, searched, replace(how, gate=None), progress=progress)
    arms, answers = _curves(session, judges, plain, _Steered(searched, cliffs, how), progress)
    results = SteeringResults(
        task=session.task,
        settings=settings,
        vectors=tuple(map(SteeredBy.of, searched, notes)),
        cliffs=tuple(cliffs),
        arms=tuple(ArmRow.of(arm) for arm in arms),
        answers=answers,
        judges=judges.keys(),
        model=described(session.model),
        cost=sum(cost_of(judge, session.journal) for judge in judges.all),
        gate=None if gate is None else UsedGate(gate, open_share(session, gate, _scope(how))),
    )
    return replace(results, warnings=cautions(results))


class _Steered:
    """The coefficients of each vector that the questions are put at, as points of the lattice."""

    def __init__(self, vectors: Sequence[JointVectors], cliffs: Sequence[Cliff], how: How) -> None:
        self.vectors = vectors
        self.cliffs = cliffs
        self.how = how

    def arms(self, points: Sequence[Iterable[int]], lattice: Lattice, sign: float) -> list[Arm]:
        """Return the arms, vector by vector, weakest first."""
        return [
            Arm(Candidate.of(vector, sign * lattice.coefficient(point), self.how))
            for vector, own in zip(self.vectors, points, strict=True)
            for point in sorted(own)
        ]


def _curves(
    session: Session, judges: Judges, plain: list[Arm], steered: _Steered, progress: bool
) -> tuple[list[Arm], Answers]:
    """Put the questions at points around each cliff, and halve what the limit brackets.

    A limit of perplexity does not see loops, so there the screen's divergence binds as well.
    """
    settings, lattice = session.settings, lattice_of(session.settings.screen)
    reaches = [reach_of(vector, session) for vector in steered.vectors]
    binding = isinstance(settings.limit, PerplexityCap) and steered.how.gate is None
    points = [
        set(_around(cliff, lattice, reach, settings.points, settings.stride))
        for cliff, reach in zip(steered.cliffs, reaches, strict=True)
    ]
    halvings = [0] * len(points)
    while True:
        arms = [*plain, *steered.arms(points, lattice, settings.sign)]
        answers = judged(session, judges, arms, progress=progress)
        fit = iter(within(answers, settings.limit, _every(session))[len(plain) :].tolist())
        more: list[list[int]] = []
        for number, (own, cliff, reach) in enumerate(
            zip(points, steered.cliffs, reaches, strict=True)
        ):
            said = {point: next(fit) for point in sorted(own)}
            if binding and cliff.diverged is not None:
                broken = lattice.point(cliff.diverged)
                said = {point: fine and point < broken for point, fine in said.items()}
            again = halvings[number] < settings.refinements
            found, closed = _refined(said, lattice, reach, settings.stride)
            more.append(found if again or not closed else [])
            halvings[number] += closed
        if not any(more):
            break
        points = [own | set(new) for own, new in zip(points, more, strict=True)]
    return arms, answers


def _searched(
    session: Session, vectors: Iterable[Steerable]
) -> tuple[list[JointVectors], list[str]]:
    """Check vectors, and add random ones at the same hook points where none is among them."""
    given = [JointVectors.of(one) for one in vectors]
    names = [vector.name for vector in given]
    if not given or len(set(names)) < len(names):
        raise SondeError(
            f"A search was given {len(given)} vectors of {len(set(names))} names.",
            fix="Give at least one, and each a name of its own.",
        )
    controlled = {one.hooks for one in given if one.method == RANDOM}
    by_place = {one.hooks: one for one in given if one.hooks not in controlled}
    given += [joint_control(one, session.settings.seed) for one in by_place.values()]
    allowed = session.settings.allow_other_model
    info = session.model.info
    return given, [vector.check(info, allow_other_model=allowed) for vector in given]


def _scope(how: How) -> Scope:
    return Scope(when=how.when, steps=how.steps)


def _every(session: Session) -> np.ndarray:
    return np.ones(len(session.task.questions), bool)


def _around(cliff: Cliff, lattice: Lattice, reach: Reach, n_points: int, stride: int) -> list[int]:
    """Return the points of a first curve: below the cliff, and one above."""
    tried = [lattice.point(abs(point.coefficient)) for point in cliff.points]
    if cliff.coherent is None:
        return tried[:1]
    low = lattice.point(abs(cliff.coherent))
    points = [low - stride * number for number in range(n_points)]
    if cliff.incoherent is not None:
        points.append(lattice.point(abs(cliff.incoherent)))
    return reach.inside(points)


def _refined(
    said: dict[int, bool], lattice: Lattice, reach: Reach, stride: int
) -> tuple[list[int], bool]:
    """Return the points to try next, and whether they count as a refinement.

    Those below a curve that is nowhere within the limit do not: without them it says nothing. Those
    beyond one that is within it everywhere do, for the screen has said that the text breaks there.
    """
    if not said:
        return [], True
    bracket = lattice.bracket(said)
    low, high = bracket.coherent, bracket.incoherent
    if low is None:
        return reach.inside(min(said) - lattice.fine * step for step in (1, 2)), False
    if high is None:
        return reach.inside([max(said) + stride]), True
    return ([(low + high) // 2] if high - low > 1 else []), True
