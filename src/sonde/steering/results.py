"""What a search found: every curve, every text, and the best of them under the limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.core.errors import SondeError, nearest
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import Effect, difference, interval_of
from sonde.stats.interval import Interval
from sonde.stats.scores import Scores
from sonde.steering.answers import Answers
from sonde.steering.arms import RANDOM, ArmRow, SteeredBy
from sonde.steering.choosing import ChosenArm, best_under_limit, question_folds
from sonde.steering.cliffs import Cliff
from sonde.steering.limits import unbroken, within
from sonde.steering.perplexity import pooled_perplexity
from sonde.steering.settings import JudgedCoherence, SearchSettings
from sonde.steering.shares import share_scores
from sonde.steering.task import SteeringTask
from sonde.steering.used_gate import UsedGate

UNSTEERED_ARM = 0


@dataclass(frozen=True, slots=True, eq=False)
class SteeringResults:
    """All arms of a search: the unsteered one first, then the plain prompt, then the curves.

    ``judges`` says what decides their opinions, ``model`` what was steered, ``cost`` what the
    judges asked for, ``gate`` what limited the edits. ``warnings`` are sentences for whoever reads
    the numbers. Judges score from 0 to 100, and so do ``answers``; what is quoted of them is a
    share of that scale, 0 to 1.
    """

    task: SteeringTask
    settings: SearchSettings
    vectors: tuple[SteeredBy, ...]
    cliffs: tuple[Cliff, ...]
    arms: tuple[ArmRow, ...]
    answers: Answers
    judges: Mapping[str, Any]
    model: Mapping[str, Any]
    cost: float = 0.0
    warnings: tuple[str, ...] = ()
    gate: UsedGate | None = None

    @property
    def n_questions(self) -> int:
        """How many questions each arm was asked."""
        return len(self.task.questions)

    def vector(self, name: str) -> SteeredBy:
        """Return what is known of a vector.

        Raises:
            SondeError: no such vector was searched.
        """
        for one in self.vectors:
            if one.name == name:
                return one
        names = [one.name for one in self.vectors]
        raise SondeError(
            f"{name!r} was not searched.{nearest(name, names)}", fix=f"Were: {', '.join(names)}."
        )

    def select(
        self,
        *,
        kind: str | None = None,
        method: str | None = None,
        cleaning: str | None = None,
        layer: int | Sequence[int] | None = None,
        position: str | None = None,
    ) -> list[int]:
        """Return the steered arms of the vectors that fit all that is given.

        ``kind`` is ``<method>[/<cleaning>]``; ``layer`` a block, or the list of those that were
        steered at once.
        """
        wanted = {
            "kind": kind,
            "method": method,
            "cleaning": cleaning,
            "layers": (layer,) if isinstance(layer, int) else layer and tuple(layer),
            "position": position,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        fitting = {
            one.name
            for one in self.vectors
            if all(getattr(one, name) == value for name, value in given.items())
        }
        return [number for number, arm in enumerate(self.arms) if arm.vector in fitting]

    def of_vector(self, name: str) -> list[int]:
        """Return the arms of a vector, weakest coefficient first: its curve."""
        found = [number for number, arm in enumerate(self.arms) if arm.vector == name]
        return sorted(found, key=lambda number: abs(self.arms[number].coefficient or 0.0))

    def arm(self, role: str) -> int | None:
        """Return the number of the first arm with a role, None where there is none."""
        return next((n for n, arm in enumerate(self.arms) if arm.role == role), None)

    def scores(self, arm: int) -> Scores:
        """Return an arm's trait scores by question, as shares of the judge's scale: 0 to 1."""
        return share_scores(self.answers.trait[arm], self.task.units)

    def trait(self, arm: int) -> Interval:
        """Return an arm's mean trait score, 0 to 1, with its interval over questions."""
        return interval_of(self.scores(arm))

    def coherence(self, arm: int) -> Interval | None:
        """Return an arm's mean judged coherence, 0 to 1; None where nobody judged it."""
        coherence = self.answers.coherence[arm]
        if np.isnan(coherence).all():
            return None
        return interval_of(share_scores(coherence, self.task.units))

    def change(self, arm: int) -> Effect:
        """Return an arm's trait score minus the unsteered one, in pairs by question."""
        return difference(self.scores(arm), self.scores(UNSTEERED_ARM))

    def perplexity(self, arm: int) -> float:
        """Return the perplexity of all of an arm's tokens under the unedited model."""
        answers = self.answers
        return float(pooled_perplexity(answers.log_likelihood[arm], answers.n_tokens[arm]))

    def perplexity_ratio(self, arm: int) -> Interval:
        """Return an arm's perplexity over the unsteered texts', with its interval over questions.

        The percentile bootstrap over questions, both arms resampled alike.
        """
        every = np.full(self.n_questions, arm)
        return self._ratio(every)

    def within_limit(self) -> Bool[np.ndarray, " arm"]:
        """Say of each arm whether its texts, all questions taken together, are within the limit.

        What lies beyond the first coefficient of its vector that is not does not count as within.
        """
        every = np.ones(self.n_questions, bool)
        fit = within(self.answers, self.settings.limit, every)
        curves = [self.of_vector(one.name) for one in self.vectors]
        return unbroken(fit & ~self.screened_out(), curves)

    def screened_out(self) -> Bool[np.ndarray, " arm"]:
        """Say of each arm whether the screen found that it diverges too far, where that counts.

        It does where the limit is of perplexity, which does not see loops as divergence does; a
        judge does. A gate's arms were screened without it.
        """
        found = np.zeros(len(self.arms), bool)
        if isinstance(self.settings.limit, JudgedCoherence) or self.gate is not None:
            return found
        for cliff in self.cliffs:
            if cliff.diverged is not None:
                for number in self.of_vector(cliff.vector):
                    found[number] = abs(self.arms[number].coefficient or 0.0) >= cliff.diverged
        return found

    def best(self, arms: Sequence[int] | None = None) -> "Best":
        """Return the best of some arms under the limit; by default of all but the random vectors'.

        Chosen by some questions and scored on the others, so its trait score may be quoted.

        Raises:
            SondeError: there are fewer than two questions.
        """
        controls = self.select(method=RANDOM)
        every = [arm for arm in self.select() if arm not in controls]
        candidates = every if arms is None else list(arms)
        folds = question_folds(self.task.units, self.settings.folds, self.settings.seed)
        settings, out = self.settings, self.screened_out()
        wanted = set(candidates) - set(np.flatnonzero(out).tolist())
        curves = [[n for n in self.of_vector(one.name) if n in wanted] for one in self.vectors]
        return Best(
            self, best_under_limit(self.answers, curves, settings.limit, folds, settings.sign)
        )

    def save(self, folder: str | Path) -> Path:
        """Write ``answers.parquet`` and ``steering.json`` into a folder; return it."""
        from sonde.steering.results_file import save_results

        return save_results(self, Path(folder))

    @staticmethod
    def load(folder: str | Path) -> "SteeringResults":
        """Read what ``save`` wrote.

        Raises:
            SondeError: the folder is not a search's, or a file is damaged.
        """
        from sonde.steering.results_file import load_results

        return load_results(Path(folder))

    def _ratio(self, arms: Int[np.ndarray, " question"]) -> Interval:
        """Return the perplexity ratio of texts whose arm may differ by question."""
        questions = np.arange(self.n_questions)
        answers = self.answers
        _, unit = np.unique(np.array(self.task.units), return_inverse=True)
        own = answers.log_likelihood[arms, questions], answers.n_tokens[arms, questions]
        plain = answers.log_likelihood[UNSTEERED_ARM], answers.n_tokens[UNSTEERED_ARM]

        def ratio(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
            drawn = weights[:, unit]
            surprise = [-(drawn @ total) / (drawn @ count) for total, count in (own, plain)]
            return np.exp(surprise[0] - surprise[1])

        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return Bootstrap().intervals(ratio, int(unit.max()) + 1)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best coefficient under the limit, of some arms of a search.

    What is quoted of it is measured on questions that had no part in its choice, and its interval
    counts that the choice was made on these data (docs/decisions/0010).
    """

    results: SteeringResults
    choice: ChosenArm

    @property
    def arm(self) -> ArmRow:
        """The arm to use from now on; the unsteered one where none stays within the limit."""
        return self.results.arms[self.choice.overall]

    @property
    def found(self) -> bool:
        """Whether any coefficient stays within the limit."""
        return self.choice.overall != UNSTEERED_ARM

    @property
    def scores(self) -> Scores:
        """The trait scores by question, 0 to 1, each of the arm that the other folds chose."""
        return share_scores(self.choice.trait, self.results.task.units, cross_validated=True)

    @property
    def trait(self) -> Interval:
        """The mean trait score, 0 to 1."""
        return interval_of(self.scores)

    @property
    def change(self) -> Effect:
        """The trait score minus the unsteered one, in pairs by question."""
        return difference(self.scores, self.results.scores(UNSTEERED_ARM))

    @property
    def coherence(self) -> Interval | None:
        """The mean judged coherence of the same texts; None where nobody judged it."""
        questions = np.arange(self.results.n_questions)
        values = self.results.answers.coherence[self.choice.by_question, questions]
        if np.isnan(values).all():
            return None
        return interval_of(share_scores(values, self.results.task.units, cross_validated=True))

    @property
    def perplexity_ratio(self) -> Interval:
        """The perplexity of the same texts over the unsteered ones'."""
        return self.results._ratio(self.choice.by_question)

    def minus(self, other: "Best") -> Effect:
        """Return this trait score minus another's: two methods, or two searches."""
        return difference(self.scores, other.scores)
