"""A judge that sonde runs itself: the expected number from 0 to 100 that a model would write."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sonde.data.examples import Example
from sonde.judges.following import Following
from sonde.judges.judge import Asked, Aspect, Opinion, nothing_to_judge
from sonde.judges.number_tree import NumberTree, expected_numbers, number_tree
from sonde.judges.off_scale import OffScale, opinion_of
from sonde.judges.prompts import RUBRICS, rubric_text
from sonde.judges.scales import SCALES
from sonde.models.model import Model
from sonde.models.render import NotRendered, RenderSettings, render_all

LONGEST_NUMBER = 4  # tokens of a number, with a space before it


@dataclass(frozen=True, slots=True)
class LocalJudge:
    """Scores answers with a model in memory; see ``expected_numbers`` for the score.

    ``token_budget`` bounds the tokens of a batch, padding included, and has no part in the scores.
    ``render`` says how the question becomes tokens, such as ``enable_thinking: false``.
    """

    model: Model
    aspect: Aspect
    rubric: str | None = None
    least_mass: float = 0.5
    token_budget: int = 16384
    render: RenderSettings = field(default_factory=RenderSettings)
    _off_scale: OffScale = field(default_factory=OffScale, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.info.name

    def key(self) -> Mapping[str, Any]:
        """Return the model, the rubric and how it is rendered."""
        info = self.model.info
        return {
            "kind": "local",
            "model": [info.name, info.revision, info.fingerprint, info.dtype],
            "rubric": self._rubric,
            "least_mass": self.least_mass,
            "render": self.render.model_dump(mode="json"),
        }

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Return one opinion for each answer, in order.

        Raises:
            SondeError: see ``each``.
        """
        found = dict(self.each(asked))
        return [found[number] for number in range(len(asked))]

    def each(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Opinion]]:
        """Yield opinions with the numbers of their answers, a batch at a time, longest first.

        Raises:
            SondeError: the model gave NaN, or puts next to nothing on the scale.
        """
        prompts: dict[int, Sequence[int]] = {}
        for number, one in enumerate(asked):
            opinion, ids = self._prompt(one)
            if opinion is None:
                prompts[number] = ids
            else:
                yield number, opinion
        tree = _tree(self.model.tokenizer)
        for batch in self._batches(prompts):
            after = Following(self.model, [prompts[number] for number in batch], self.token_budget)
            found = expected_numbers(tree, len(batch), after)
            for number, expected in zip(batch, found, strict=True):
                opinion = opinion_of(expected, self.least_mass, tokens=len(prompts[number]))
                yield number, opinion
                trouble = self._off_scale.after(opinion, self.name)
                if trouble is not None:
                    raise trouble

    def has_scored(self) -> None:
        """Take note that the model can judge: it has given scores before."""
        self._off_scale.scored = True

    def _prompt(self, asked: Asked) -> tuple[Opinion | None, Sequence[int]]:
        """Return the tokens of the question about an answer, or why it gets none."""
        empty = nothing_to_judge(asked)
        if empty is not None:
            return empty, ()
        scale = SCALES["percent"]
        text = rubric_text(
            self._rubric, asked, lowest=scale.lowest, highest=scale.highest, ask=scale.ask
        )
        settings = self.render.model_copy(update={"too_long": "skip"})
        context = self.model.info.context - LONGEST_NUMBER
        (found,) = render_all(self.model.tokenizer, [Example("asked", text)], settings, context)
        if isinstance(found, NotRendered):
            reason = f"the question about it does not fit {self.name}, which reads {context} tokens"
            return Opinion(None, reason=reason), ()
        return None, found.ids.tolist()

    def _batches(self, prompts: Mapping[int, Sequence[int]]) -> Iterator[list[int]]:
        """Cut prompts, longest first, into batches within the budget, on one side of the switch."""
        switch = self.model.rope_switch
        batch: list[int] = []
        for number in sorted(prompts, key=lambda one: (-len(prompts[one]), one)):
            longest = len(prompts[batch[0]]) if batch else 0
            crosses = switch is not None and batch and longest > switch >= len(prompts[number])
            if crosses or (batch and longest * (len(batch) + 1) > self.token_budget):
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    @property
    def _rubric(self) -> str:
        return self.rubric or RUBRICS[self.aspect]


@lru_cache(maxsize=4)
def _tree(tokenizer: Any) -> NumberTree:
    return number_tree(tokenizer)
