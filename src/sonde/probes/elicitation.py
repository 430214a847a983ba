"""Preferences elicited from a model: it is asked which of two tasks it would rather do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from sonde.activations.budgets import default_budget
from sonde.activations.plan import plan_batches
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.progress import progress as show_progress
from sonde.data.examples import Example, as_examples
from sonde.models.choices import answer_tokens, next_choices
from sonde.models.model import Model
from sonde.models.render import RenderSettings, render_all
from sonde.probes.elicit_settings import ElicitSettings
from sonde.probes.elicited import Elicited
from sonde.probes.question_pairs import random_pairs, rounds_of, telling_pairs
from sonde.probes.utilities import UtilitySettings, fit_utilities

CHUNK = 64  # pairs that are asked, and kept, together
Answer = tuple[float, float, float]  # log-odds of either order, and the share of both answers


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
