"""The pre-screen: find each vector's coherence cliff without asking a judge.

Two measures, because either is blind where the other sees. A text that repeats one word is soon
likely again, so its perplexity may be low; the divergence from the unedited model, on tokens that
the unedited model wrote, is then large. A vector that turns a text elsewhere, coherently, diverges
by little a token and is bounded by the perplexity of what it writes.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sonde.core.progress import progress as show_progress
from sonde.steering.answering import Session
from sonde.steering.candidates import Arm, Candidate, How
from sonde.steering.cliffs import Cliff, ScreenPoint
from sonde.steering.joint import JointVectors, Steerable
from sonde.steering.lattice import Lattice, Reach
from sonde.steering.perplexity import perplexity_ratio
from sonde.steering.settings import ScreenSettings
from sonde.steering.units import check_coefficient, largest_coefficient


def lattice_of(settings: ScreenSettings) -> Lattice:
    """Return the coefficients that a search may visit."""
    return Lattice(settings.ratio, 2**settings.halvings)


def reach_of(vector: Steerable, session: Session) -> Reach:
    """Return the outermost points for a vector: by the settings, and by what the dtype holds."""
    settings = session.settings.screen
    lattice = lattice_of(settings)
    largest = min(settings.highest, largest_coefficient(vector, session.model.dtype))
    highest = lattice.nearest(largest)
    while lattice.coefficient(highest) > largest * (1 + 1e-12):
        highest -= lattice.fine
    return Reach(lattice.nearest(settings.lowest), highest)


def screen(
    session: Session, vectors: Iterable[Steerable], how: How, *, progress: bool = True
) -> list[Cliff]:
    """Find the cliff of each vector; all vectors' coefficients of a round are one grid.

    An entry of several vectors is steered at all of them together, and has one cliff.

    Raises:
        SondeError: a coefficient to start from overflows in the model's dtype.
    """
    settings = session.settings.screen
    lattice = lattice_of(settings)
    joints = [JointVectors.of(one) for one in vectors]
    reaches = [reach_of(joint, session) for joint in joints]
    for joint in joints:
        check_coefficient(joint, settings.start, session.model.dtype)
    found: list[dict[int, ScreenPoint]] = [{} for _ in joints]
    waiting = [reach.inside(lattice.start(settings.start)) or [reach.highest] for reach in reaches]
    with show_progress("screening", len(joints), unit="vectors", show=progress) as advance:
        done = 0
        while any(waiting):
            asked = [(index, point) for index, points in enumerate(waiting) for point in points]
            candidates = [
                Candidate.of(joints[index], session.settings.sign * lattice.coefficient(point), how)
                for index, point in asked
            ]
            for (index, point), said in zip(asked, _screened(session, candidates), strict=True):
                found[index][point] = said
            waiting = [
                lattice.next_points(_coherent(points), reach) if points else []
                for points, reach in zip(found, reaches, strict=True)
            ]
            ready = sum(not points for points in waiting)
            advance(ready - done)
            done = ready
    return [_cliff(one.name, points, lattice) for one, points in zip(joints, found, strict=True)]


def _coherent(points: Mapping[int, ScreenPoint]) -> dict[int, bool]:
    return {point: said.coherent for point, said in points.items()}


def _screened(session: Session, candidates: Sequence[Candidate]) -> list[ScreenPoint]:
    """Measure candidates; texts are written only where the divergence allows."""
    settings = session.settings.screen
    questions = range(min(settings.questions, len(session.task.questions)))
    arms = [Arm(candidate) for candidate in candidates]
    asks = [(arm, question) for arm in arms for question in questions]
    divergence = np.array(session.divergences(asks)).reshape(len(arms), -1).mean(axis=1)
    near = [arm for arm, nats in zip(arms, divergence, strict=True) if _within(nats, settings)]
    ratios = iter(_ratios(session, near, questions))
    points = []
    for candidate, nats in zip(candidates, divergence, strict=True):
        ratio = next(ratios) if _within(nats, settings) else float("nan")
        points.append(
            ScreenPoint(
                candidate.coefficient, float(nats), ratio, ratio <= settings.perplexity_times
            )
        )
    return points


def _within(divergence: float, settings: ScreenSettings) -> bool:
    return bool(divergence <= settings.max_divergence)  # NaN is not


def _ratios(session: Session, arms: Sequence[Arm], questions: range) -> list[float]:
    if not arms:
        return []
    asks = [(arm, question) for arm in (Arm(), *arms) for question in questions]
    answers = session.answers(asks, session.settings.screen.tokens, progress=False)
    total = np.array([one.log_likelihood for one in answers]).reshape(len(arms) + 1, -1)
    count = np.array([one.n_tokens for one in answers]).reshape(len(arms) + 1, -1)
    return [float(one) for one in perplexity_ratio(total[1:], count[1:], (total[0], count[0]))]


def _cliff(name: str, points: Mapping[int, ScreenPoint], lattice: Lattice) -> Cliff:
    bracket = lattice.bracket(_coherent(points))
    low, high = bracket.coherent, bracket.incoherent
    return Cliff(
        name,
        None if low is None else points[low].coefficient,
        None if high is None else points[high].coefficient,
        tuple(points[point] for point in sorted(points)),
    )
