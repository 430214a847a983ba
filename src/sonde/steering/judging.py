"""Questions put to arms, and what the judges say of the answers."""

from collections.abc import Sequence

from sonde.steering.answering import Session
from sonde.steering.answers import Answers
from sonde.steering.candidates import Arm
from sonde.steering.scoring import Judges, Said, opinions


def judged(
    session: Session, judges: Judges, arms: Sequence[Arm], *, progress: bool = True
) -> Answers:
    """Put all questions to some arms and have the answers judged.

    Raises:
        SondeError: a judge failed; what it had said is kept.
    """
    questions = range(len(session.task.questions))
    asks = [(arm, question) for arm in arms for question in questions]
    answers = session.answers(asks, progress=progress)
    said = [Said(question, one.text) for (_, question), one in zip(asks, answers, strict=True)]
    trait = opinions(judges.trait, session.task, said, session.journal)
    coherence = None
    if judges.coherence is not None:
        coherence = opinions(judges.coherence, session.task, said, session.journal)
    return Answers.of(answers, trait, coherence, len(questions))
