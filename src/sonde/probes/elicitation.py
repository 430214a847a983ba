"""Preferences elicited from a model: it is asked which of two tasks it would rather do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sonde.activations.budgets import default_budget
from sonde.activations.plan import plan_batches
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.progress import progress as show_progress
from sonde.core.words import true_minus
from sonde.data.comparisons import TIE, Comparisons
from sonde.data.examples import Example, as_examples
from sonde.models.choices import answer_tokens, next_choices
from sonde.models.model import Model
from sonde.models.render import RenderSettings, render_all
from sonde.probes.elicit_settings import ElicitSettings
from sonde.probes.question_pairs import random_pairs, rounds_of, telling_pairs
from sonde.probes.utilities import UtilitySettings, fit_utilities

CHUNK = 64  # pairs that are asked, and kept, together
FEW = 0.1  # a share of p(A) + p(B), below which the model hardly answers the question
LETTERS = 0.5  # a share of pairs answered by the letter, above which place decides most
Answer = tuple[float, float, float]  # log-odds of either order, and the share of both answers


@dataclass(frozen=True, slots=True, eq=False)
class Elicited:
    """Answers about pairs of items: ``first`` and ``second`` are ids, arrays of equal length.

    ``log_odds`` ``[pair, order]`` are those of the first answer, asked as (first, second) and as
    (second, first). ``share`` is the chance that either answer is given at all, the two orders'
    mean.
    """

    first: np.ndarray  # str
    second: np.ndarray  # str
    log_odds: Float[np.ndarray, "pair 2"]
    share: Float[np.ndarray, " pair"]
    settings: ElicitSettings

    def __len__(self) -> int:
        return len(self.first)

    @property
    def preference(self) -> Float[np.ndarray, " pair"]:
        """The log-odds that the first item is preferred, place cancelled: half the difference."""
        return (self.log_odds[:, 0] - self.log_odds[:, 1]) / 2

    @property
    def bias(self) -> Float[np.ndarray, " pair"]:
        """The log-odds of the first answer whatever stands there: the mean of both orders."""
        return self.log_odds.mean(axis=1)

    @property
    def by_letter(self) -> float:
        """The share of pairs in which both orders got the same letter, so that place decided."""
        return float((np.sign(self.log_odds[:, 0]) == np.sign(self.log_odds[:, 1])).mean())

    @property
    def comparisons(self) -> Comparisons:
        """The pairs as comparisons, ties where the preference is too small to tell.

        Raises:
            SondeError: all are ties.
        """
        preference = self.preference
        tied = np.abs(preference) < self.settings.tie
        clear = (preference > 0).astype(np.float64)
        if self.settings.outcome == "probability":
            clear = 1 / (1 + np.exp(-preference))
        tied |= preference == 0
        outcome = np.where(tied, TIE, clear)
        found = Comparisons(self.first, self.second, outcome, np.ones(len(self)))
        if bool(tied.all()):
            raise SondeError(
                f"The model told none of {len(self)} pairs apart: every preference is within "
                f"{self.settings.tie:g} of 0, log-odds of {np.abs(preference).mean():.3f} on "
                "average.",
                fix="Ask another question, lower tie, or take a larger model.",
            )
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes these preferences doubtful, in sentences."""
        found: list[str] = []
        share, spread = float(self.share.mean()), float(self.preference.std())
        first, second = self.settings.answers
        if share < FEW:
            found.append(
                f"The model gives {first!r} or {second!r} with a chance of {share:.3f} only: it "
                "hardly answers the question."
            )
        if self.by_letter > LETTERS:
            found.append(
                f"In {self.by_letter:.0%} of the pairs the model names the same letter in both "
                f"orders: its answers are mostly position bias ({self.bias.mean():+.2f} log-odds "
                f"for {first!r}, beside preferences of {spread:.2f})."
            )
        if spread < self.settings.tie:
            found.append(
                f"Preferences spread by {spread:.3f} log-odds only: the model hardly tells the "
                "tasks apart."
            )
        return tuple(found)

    def __str__(self) -> str:
        items = len(np.unique(np.concatenate([self.first, self.second])))
        size, bias = np.abs(self.preference), true_minus(f"{self.bias.mean():+.3f}")
        tied = int(((size < self.settings.tie) | (size == 0)).sum())
        lines = [
            f"{len(self):,} pairs of {items:,} items, asked in both orders:",
            f"  preference     {size.mean():.3f} log-odds on average; ties: {tied:,}",
            f"  position bias  {bias} log-odds for the first answer",
            f"  same letter    in {self.by_letter:.0%} of the pairs, both orders",
            f"  either answer  given with a chance of {self.share.mean():.3f}",
        ]
        return "\n".join([*lines, *(f"  note           {text}" for text in self.warnings)])


def elicit(
    model: Model,
    tasks: Sequence[Example] | Sequence[str],
    settings: ElicitSettings | None = None,
    *,
    known: Mapping[tuple[int, int], Answer] | None = None,
    keep: Callable[[Sequence[tuple[int, int]], Sequence[Answer]], None] | None = None,
    progress: bool = True,
    **given: Any,
) -> Elicited:
    """Ask a model which of two tasks it would rather do, pair by pair and in both orders.

    One forward pass a prompt, of which the last token's log-odds of the two answers are kept.
    Settings may be given as keywords. ``known`` are answers that were kept before, by the tasks'
    numbers; ``keep`` is called with each chunk of new ones.

    Raises:
        SondeError: there are fewer than two tasks, two have the same text, too few pairs to connect
            them, an answer is not one token, or a question is longer than the model's context.
    """
    base = settings.model_dump() if settings else {}
    chosen = validated(ElicitSettings, {**base, **given}, where="elicit's settings")
    given_tasks = as_examples(tasks)
    _refuse_same_texts(given_tasks)
    asker = Asker(model, given_tasks, chosen, dict(known or {}), keep)
    rng = np.random.default_rng(chosen.seed)
    n = len(asker.tasks)
    target = min(chosen.pairs, n * (n - 1) // 2)
    sizes = (target,) if chosen.choose == "random" else rounds_of(n, target, chosen.rounds)
    with show_progress("asking", 2 * target, show=progress) as advance:
        pairs = random_pairs(n, sizes[0], rng)
        answers = asker.ask(pairs, advance)
        for size in sizes[1:]:
            so_far = asker.elicited(pairs, answers)
            # Probabilities tell how sure the model is, so they guide the choice whatever is kept.
            graded = replace(so_far, settings=chosen.model_copy(update={"outcome": "probability"}))
            found = fit_utilities(graded.comparisons, UtilitySettings(disconnected="error"))
            numbers = np.array([asker.number[name] for name in found.items.tolist()])
            place = np.argsort(numbers)
            more = numbers[telling_pairs(found, place[pairs], size, rng)]
            pairs, answers = np.concatenate([pairs, more]), answers + asker.ask(more, advance)
    return asker.elicited(pairs, answers)


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """Puts questions to a model in batches."""

    model: Model
    tasks: tuple[Example, ...]
    settings: ElicitSettings
    known: dict[tuple[int, int], Answer]
    keep: Callable[[Sequence[tuple[int, int]], Sequence[Answer]], None] | None

    @property
    def number(self) -> Mapping[str, int]:
        """The number of each task."""
        return {task.id: number for number, task in enumerate(self.tasks)}

    def elicited(self, pairs: Int[np.ndarray, "pair 2"], answers: Sequence[Answer]) -> Elicited:
        """Put pairs and their answers together."""
        ids = np.array([task.id for task in self.tasks])
        told = np.array(answers)
        return Elicited(ids[pairs[:, 0]], ids[pairs[:, 1]], told[:, :2], told[:, 2], self.settings)

    def ask(self, pairs: Int[np.ndarray, "pair 2"], advance: Callable[[int], None]) -> list[Answer]:
        """Ask pairs in both orders, chunk by chunk; chunks that are known are not asked again."""
        answers: list[Answer] = []
        for start in range(0, len(pairs), CHUNK):
            chunk = [(int(one), int(other)) for one, other in pairs[start : start + CHUNK]]
            if not all(pair in self.known for pair in chunk):
                found = self._chunk(chunk)
                self.known.update(zip(chunk, found, strict=True))
                if self.keep is not None:
                    self.keep(chunk, found)
            answers += [self.known[pair] for pair in chunk]
            advance(2 * len(chunk))
        return answers

    def _chunk(self, pairs: Sequence[tuple[int, int]]) -> list[Answer]:
        asked = [*pairs, *((other, one) for one, other in pairs)]
        rendered = self._rendered(asked)
        tokens = answer_tokens(self.model, rendered[0], self.settings.answers)
        lengths = np.array([len(one.ids) for one in rendered])
        log_odds, share = np.empty(len(asked)), np.empty(len(asked))
        for members in self._batches(lengths):
            found = next_choices(self.model, [rendered[at].ids for at in members], tokens)
            log_odds[members], share[members] = found.log_odds, found.share
        half = len(pairs)
        both = zip(log_odds[:half], log_odds[half:], (share[:half] + share[half:]) / 2, strict=True)
        return [(float(one), float(other), float(mean)) for one, other, mean in both]

    def _batches(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Plan batches within the token budget, none on both sides of ``Model.rope_switch``."""
        info = self.model.info
        vector = info.d_model * self.model.dtype.itemsize
        budget = self.settings.token_budget or default_budget(self.model.device, 40 * vector)
        longer = lengths > (self.model.rope_switch or 0)
        batches: list[np.ndarray] = []
        for side in (longer, ~longer):
            plan = plan_batches(np.where(side, lengths, 0), budget)
            batches += [plan.batch(number) for number in range(len(plan.sizes))]
        return batches

    def _rendered(self, pairs: Sequence[tuple[int, int]]) -> list[Any]:
        texts = [_words(task) for task in self.tasks]
        # The bracket keeps an answer one token: behind a space it would be another one, or two.
        plain = self.settings.template == "none" or not self.model.tokenizer.chat_template
        ending = "\n\nAnswer: (" if plain else ""
        before, between = self.settings.question.split("{a}", 1)
        swapped = "{b}" in before  # a question may name b first
        examples: list[Example] = []
        for number, (one, other) in enumerate(pairs):
            if swapped:
                start, middle = before.split("{b}", 1)
                text = f"{start}{texts[other]}{middle}{texts[one]}{between}"
            else:
                middle, end = between.split("{b}", 1)
                text = f"{before}{texts[one]}{middle}{texts[other]}{end}"
            where = f"the question about {self.tasks[one].id!r} and {self.tasks[other].id!r}"
            examples.append(Example(str(number), text + ending, row=where))
        how = RenderSettings(template=self.settings.template, too_long="error")
        return render_all(self.model.tokenizer, examples, how, self.model.info.context)


def _refuse_same_texts(tasks: Sequence[Example]) -> None:
    """Refuse a task given twice: it would be asked against itself."""
    seen: dict[str, Example] = {}
    for task in tasks:
        first = seen.setdefault(_words(task), task)
        if first is not task:
            raise SondeError(
                f"The tasks {first.id!r} and {task.id!r} have the same text, "
                f"{_words(task)[:60]!r}: the model would be asked which of one it prefers.",
                fix="Keep one of them.",
            )


def _words(task: Example) -> str:
    if isinstance(task.prompt, str):
        return task.prompt.strip()
    return "\n".join(turn.content.strip() for turn in task.prompt if turn.role == "user")
