"""Whether the unsteered model leaves room for the trait, and which prompts would leave more."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from sonde.core.errors import SondeError
from sonde.judges.judge import HIGHEST
from sonde.stats.effects import interval_of
from sonde.stats.headroom import Headroom, headroom
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS
from sonde.steering.answering import Session
from sonde.steering.answers import Answers
from sonde.steering.candidates import Arm
from sonde.steering.journal import Journal
from sonde.steering.judging import judged
from sonde.steering.scoring import Judges
from sonde.steering.shares import share_scores

_NUMBER = re.compile(r"\d+(\.\d+)?")

# Ways to put a question that pull a model's manner in different directions.
FRAMES = (
    "{question}",
    "{question} Answer in one short sentence.",
    "{question} Give only the facts.",
    "Question: {question}\nAnswer:",
    "Write two or three neutral sentences on this: {question}",
    "A colleague asks you in passing: {question} What do you reply?",
)


@dataclass(frozen=True, slots=True)
class FrameRoom:
    """The unsteered trait score, 0 to 1, of questions in a frame; whether it leaves room."""

    frame: str
    unsteered: Interval
    headroom: Headroom


def room_of(session: Session, judges: Judges) -> FrameRoom:
    """Return how far the unsteered trait score lies from the end that it is to move towards.

    Raises:
        SondeError: fewer than two unsteered answers hold any words; a judge failed, or scored less
            than half of those that do.
    """
    answers = judged(session, judges, [Arm()], progress=False)
    found = answers.trait[0]
    _check_written(answers, session.settings.max_new_tokens)
    _check_judged(judges.trait.name, answers)
    unsteered = interval_of(share_scores(found, session.task.units))
    settings = session.settings
    needed, rises = settings.room / HIGHEST, settings.towards == "more"
    enough = headroom(unsteered, METRICS["share"], needed, rises=rises)
    return FrameRoom(session.task.frame, unsteered, enough)


def _full(answers: Answers) -> Bool[np.ndarray, " question"]:
    """Say of each unsteered answer whether it holds more than blanks."""
    return np.array([bool(text.strip()) for text in answers.text[0]])


def _check_written(answers: Answers, length: int) -> None:
    """Refuse unsteered answers without words: no perplexity can be held against theirs."""
    full = _full(answers)
    if full.sum() >= 2 or full.all():
        return
    ended = int((answers.finished[0] & ~full).sum())
    raise SondeError(
        f"{len(full) - full.sum()} of the {len(full)} unsteered answers are empty, so there is "
        f"nothing to hold steered ones against; {ended} of them were ended by the model itself.",
        fix="Look at how the model is asked: an instruct model needs its chat template, a base "
        "model questions without one (`search.template`), and an end-of-text token that is none "
        f"cuts every answer. `search.max_new_tokens` is {length}: one or two may be blanks alone.",
    )


def _check_judged(judge: str, answers: Answers) -> None:
    """Refuse a judge that scored few of the unsteered answers, and say what it did instead.

    An empty answer is scored without the judge, and counts on neither side.
    """
    full = _full(answers)
    absent = np.flatnonzero(full & np.isnan(answers.trait[0]))
    if 2 * len(absent) <= full.sum():
        return
    # Reasons that differ in numbers and in what was said, such as in the mass, are one.
    kinds = [_NUMBER.sub("#", answers.reasons[0][at].split("; it said")[0]) for at in absent]
    (kind, often) = Counter(kinds).most_common(1)[0]
    alike = [at for at, one in zip(absent, kinds, strict=True) if one == kind]
    mass = answers.mass[0][alike]
    reason = answers.reasons[0][alike[0]].rstrip(".")
    on_scale = ""
    if not np.isnan(mass).any():
        on_scale = f" There the median mass on its scale is {np.median(mass):.1%}."
    raise SondeError(
        f"The judge {judge} scored {full.sum() - len(absent)} of the {full.sum()} unsteered "
        f"answers that are not empty. The commonest reason ({often} of {len(absent)}): {reason}."
        f"{on_scale}",
        fix="Mend that, or choose another judge, and run again: what it scored is kept.",
    )


def scan_frames(
    session: Session, judges: Judges, frames: Sequence[str] = FRAMES
) -> list[FrameRoom]:
    """Return the room that each way to put the questions leaves, nearest the middle first.

    Only unsteered answers are generated. Nothing goes to the session's journal: questions in
    another frame are another task.

    Raises:
        SondeError: a frame has no place for the question, or a judge failed.
    """
    found = []
    for frame in frames:
        task = replace(session.task, frame=frame)
        trial = Session(session.model, task, session.settings, Journal(None, {}))
        found.append(room_of(trial, judges))
    return sorted(found, key=_from_middle)


def check_room(session: Session, judges: Judges) -> FrameRoom:
    """Refuse a search whose unsteered score leaves no room, and say which frames leave some.

    Raises:
        SondeError: there is no room, nearly all answers are empty, or the judge failed.
    """
    own = room_of(session, judges)
    if own.headroom.enough:
        return own
    others, unread = _scanned(session, judges, [one for one in FRAMES if one != own.frame])
    more = "higher" if session.settings.towards == "more" else "lower"
    fix = (
        f"No other way to put the questions that was tried leaves room either: choose other "
        f"questions, or steer towards {'less' if more == 'higher' else 'more'}."
    )
    if others:
        said = "; ".join(f"{one.frame!r} ({one.unsteered.value:.2f})" for one in others[:3])
        fix = f"Put the questions in another frame, whose unsteered score leaves room: {said}."
    if unread:
        frames, why = ", ".join(map(repr, unread)), next(iter(unread.values()))
        fix += f" Left out, for no score could be had of them: {frames} ({why.rstrip('.')})."
    raise SondeError(
        f"Steering cannot show a {more} score of {session.task.trait}: {own.headroom.why}", fix=fix
    )


def _scanned(
    session: Session, judges: Judges, frames: Sequence[str]
) -> tuple[list[FrameRoom], dict[str, str]]:
    """Return the frames that leave room, nearest the middle first, and why others have no score.

    What is wrong with one frame must not hide what is wrong with the search's own.
    """
    found: list[FrameRoom] = []
    unread: dict[str, str] = {}
    for frame in frames:
        try:
            found += scan_frames(session, judges, [frame])
        except SondeError as error:
            unread[frame] = error.what
    enough = [one for one in found if one.headroom.enough]
    return sorted(enough, key=_from_middle), unread


def _from_middle(one: FrameRoom) -> float:
    return abs(one.unsteered.value - 0.5)
