"""What a reader of a search must know before quoting it."""

from collections.abc import Iterator

import numpy as np

from sonde.steering.limits import in_words
from sonde.steering.results import UNSTEERED_ARM, SteeringResults
from sonde.steering.settings import JudgedCoherence

CLOSE = 1e-3  # logits: below this the same row in another batch may take the other token
NAMED = 5


def cautions(results: SteeringResults) -> tuple[str, ...]:
    """Return the warnings of a search, as sentences; each says what it rests on."""
    return tuple(_sentences(results))


def _sentences(results: SteeringResults) -> Iterator[str]:
    limit, answers = results.settings.limit, results.answers
    none = [cliff.vector for cliff in results.cliffs if cliff.coherent is None]
    if none:
        yield f"No coefficient tried left the text coherent for {_named(none)}."
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
    unscored = int(np.isnan(answers.trait).sum())
    if unscored:
        yield (
            f"{unscored} of {answers.trait.size} answers have no trait score; their reasons are "
            "kept, and arms that lack one do not compete."
        )
    close = int((answers.margin < CLOSE).sum())
    if close:
        yield (
            f"{close} of {answers.margin.size} greedy texts passed a token where the two best "
            f"logits lie within {CLOSE:g}: in other batches they may go another way."
        )
    yield from _notes(results)


def _notes(results: SteeringResults) -> Iterator[str]:
    notes = list(dict.fromkeys(vector.note for vector in results.vectors if vector.note))
    yield from notes[:NAMED]
    if len(notes) > NAMED:
        yield f"So were {len(notes) - NAMED} further vectors."


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
