"""What a reader of a search must know before quoting it."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from sonde.steering.answers import Answers
from sonde.steering.choosing import MISSING
from sonde.steering.limits import in_words
from sonde.steering.results import UNSTEERED_ARM, SteeringResults
from sonde.steering.settings import JudgedCoherence

CLOSE = 1e-3  # logits: below this the same row in another batch may take the other token
NAMED = 5
SHOWN = 2  # reasons
FEW = 0.05  # of the tokens


def cautions(results: SteeringResults) -> tuple[str, ...]:
    """Return the warnings of a search, as sentences; each says what it rests on."""
    return tuple(_sentences(results))


def _sentences(results: SteeringResults) -> Iterator[str]:
    limit, answers = results.settings.limit, results.answers
    none = [cliff.vector for cliff in results.cliffs if cliff.coherent is None]
    if none:
        yield f"No coefficient tried left the text coherent for {_named(none)}."
    yield from _of_gate(results)
    open_ended = [cliff.vector for cliff in results.cliffs if cliff.incoherent is None]
    if open_ended:
        yield f"No cliff was found up to the largest coefficient for {_named(open_ended)}."
    if isinstance(limit, JudgedCoherence) and not results.within_limit()[UNSTEERED_ARM]:
        yield f"The unsteered texts themselves fall short of a {in_words(limit)}."
    beyond = [
        vector.name
        for vector in results.vectors
        if not results.within_limit()[results.of_vector(vector.name)].any()
    ]
    if beyond:
        yield f"Nothing stays within the limit, {in_words(limit)}, for {_named(beyond)}."
    yield from _unscored(results)
    close = int((answers.margin < CLOSE).sum())
    if close:
        yield (
            f"{close} of {answers.margin.size} greedy texts passed a token where the two best "
            f"logits lie within {CLOSE:g}: in other batches they may go another way."
        )
    yield from _notes(results)


def _unscored(results: SteeringResults) -> Iterator[str]:
    """Say how many answers the judges gave no score, what that does, and why."""
    answers = results.answers
    trait, coherence = np.isnan(answers.trait), np.isnan(answers.coherence)
    if trait.any():
        yield (
            f"{trait.sum()} of {trait.size} answers have no trait score; an arm that lacks more "
            f"than {MISSING:.0%} of them does not compete: {_reasons(answers, trait)}."
        )
    limits = isinstance(results.settings.limit, JudgedCoherence)
    if coherence.any() and (limits or not coherence.all()):
        means = " and count as incoherent" if limits else ""
        yield (
            f"{coherence.sum()} of {coherence.size} answers have no coherence score{means}: "
            f"{_reasons(answers, coherence)}."
        )


def _reasons(answers: Answers, which: np.ndarray) -> str:
    """Name the commonest reasons of some answers; all of them are in the file of answers."""
    reasons = np.array(answers.reasons, object)[which].tolist()
    counted = Counter(reason.rstrip(".") or "no reason given" for reason in reasons)
    said = "; ".join(f"{reason} ({count})" for reason, count in counted.most_common(SHOWN))
    more = len(counted) - SHOWN
    return said if more <= 0 else f"{said}; and {more} more"


def _of_gate(results: SteeringResults) -> Iterator[str]:
    share = None if results.gate is None else results.gate.open_share
    if share == 0:
        yield "The gate was open at no token of the unsteered answers: there was nothing to steer."
    if share is not None and 0 < share < FEW:
        yield (
            f"The gate was open at {share:.1%} of the unsteered answers' tokens: perplexity and "
            "coherence, which are of whole answers, hardly see what steering does there."
        )
    if share == 1:
        yield "The gate was open at every token of the unsteered answers: it is as good as none."


def _notes(results: SteeringResults) -> Iterator[str]:
    notes = list(dict.fromkeys(vector.note for vector in results.vectors if vector.note))
    yield from notes[:NAMED]
    if len(notes) > NAMED:
        yield f"So were {len(notes) - NAMED} further vectors."


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
