"""Which results a run will have, before it runs, and whether such results exist."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.experiments.keys import key_of, known_contents
from sonde.experiments.spec import Specification
from sonde.experiments.stage import DONE as MARKER
from sonde.ledger.questions import question_of

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The keys that stages will have, each with the stage's name, and the questions they ask."""

    places: frozenset[tuple[str, str]]
    questions: Mapping[str, frozenset[str]]  # by the name of the stage

    @classmethod
    def of(cls, spec: Specification) -> "Foreseen":
        """Look at every stage of every variant, as far as that is known without running it."""
        places: set[tuple[str, str]] = set()
        questions: dict[str, frozenset[str]] = {}
        for planned in spec.variants:
            contents = known_contents(planned)
            by_key = {key_of(content): content for content in contents.values()}
            for name, content in contents.items():
                key = key_of(content)
                places.add((name, key))
                asked = {question_of(key, by_key, same_rows=same) for same in (False, True)}
                questions[name] = questions.get(name, frozenset()) | asked
        return cls(frozenset(places), questions)

    def of_stages(self, names: Collection[str]) -> "Foreseen":
        """Return what belongs to some stages."""
        return Foreseen(
            frozenset(place for place in self.places if place[0] in names),
            {name: asked for name, asked in self.questions.items() if name in names},
        )

    def have_results(self, root: Path, ledger: "Ledger | None") -> bool:
        """Whether one of the results is on disk, or it or one like it in the ledger."""
        if any((root / name / key / MARKER).exists() for name, key in self.places):
            return True
        return bool(self.runs_in(ledger))

    def runs_in(self, ledger: "Ledger | None") -> tuple[int, ...]:
        """Return the runs of a ledger that have one of the results, or answer its question."""
        if ledger is None:
            return ()
        questions = frozenset[str]().union(*self.questions.values())
        return ledger.runs_with_results({key for _, key in self.places}, questions)
