"""Answers of arms to questions: generated in large grids, measured, and kept as they come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sonde.core.files import fingerprint
from sonde.models.grid import Continuation, GridRow, GridSettings, generate_grid
from sonde.models.likelihood import log_likelihoods, steered_divergence
from sonde.models.model import Model
from sonde.models.render import RenderSettings
from sonde.steering.answers import Answer
from sonde.steering.candidates import Arm
from sonde.steering.journal import Journal
from sonde.steering.settings import SearchSettings
from sonde.steering.task import SteeringTask

Asks: TypeAlias = Sequence[tuple[Arm, int]]  # and the numbers of the questions put to them
Absent: TypeAlias = Mapping[str, tuple[Arm, int]]  # by key: what the journal lacks


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A model that is asked the questions of a task, and what it has answered so far."""

    model: Model
    task: SteeringTask
    settings: SearchSettings
    journal: Journal
    _prompts: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)

    def prompts(self, instruction: str = "") -> list[tuple[int, ...]]:
        """Return the token ids of the questions."""
        if instruction not in self._prompts:
            self._prompts[instruction] = self.task.prompts(
                self.model, instruction, RenderSettings(template=self.settings.template)
            )
        return self._prompts[instruction]

    def answers(
        self, asks: Asks, n_tokens: int | None = None, *, progress: bool = True
    ) -> list[Answer]:
        """Return the answers, in order, of at most ``n_tokens`` tokens (the settings' by default).

        What the journal holds is not generated again. The rest is cut into chunks at places that
        are the same whatever it holds, so a search that goes on after a stop asks the model exactly
        as one that was never stopped.
        """
        length = n_tokens or self.settings.max_new_tokens
        kind = f"answer of {length}"
        self._fill(kind, asks, lambda absent: self._generate(absent, length, progress))
        return [_answer(self.journal.get(kind, _key(arm, question))) for arm, question in asks]

    def divergences(self, asks: Asks, *, progress: bool = True) -> list[float]:
        """Return KL(steered || unedited) in nats a token, over the screen's unsteered answers.

        The mean over the answer's tokens of the divergence of next-token distributions, both models
        reading the same tokens, so it does not hang on where a text goes.
        """
        length = self.settings.screen.tokens
        kind = f"divergence over {length}"
        asked = sorted({question for _, question in asks})
        given = self.answers([(Arm(), question) for question in asked], length, progress=progress)
        said = {question: answer.tokens for question, answer in zip(asked, given, strict=True)}
        self._fill(kind, asks, lambda absent: self._diverge(absent, said))
        return [float(self.journal.get(kind, _key(arm, question))) for arm, question in asks]

    def _fill(self, kind: str, asks: Asks, make: Callable[[Absent], dict[str, Any]]) -> None:
        """Make and keep what the journal lacks, chunk by chunk."""
        wanted = {_key(arm, question): (arm, question) for arm, question in asks}
        names = list(wanted)
        for start in range(0, len(names), self.settings.chunk):
            part = names[start : start + self.settings.chunk]
            absent = {name: wanted[name] for name in part if self.journal.get(kind, name) is None}
            if absent:
                self.journal.keep(kind, make(absent))

    def _generate(self, absent: Absent, length: int, progress: bool) -> dict[str, Any]:
        prompts, place = self._gathered([arm.instruction for arm, _ in absent.values()])
        rows = [
            GridRow(place[arm.instruction] + question, _edits(arm))
            for arm, question in absent.values()
        ]
        continuations: list[Continuation | None] = [None] * len(rows)
        settings = self._grid_settings(length, list(absent))
        for made in generate_grid(self.model, prompts, rows, settings, progress=progress):
            continuations[made.row] = made
        answers = [made for made in continuations if made is not None]
        totals = self._likelihoods(
            [question for _, question in absent.values()], [made.tokens for made in answers]
        )
        return {
            name: {
                "text": made.text,
                "tokens": list(made.tokens),
                "finished": made.finished,
                "margin": made.margin,
                "log_likelihood": total,
            }
            for name, made, total in zip(absent, answers, totals, strict=True)
        }

    def _grid_settings(self, length: int, names: Sequence[str]) -> GridSettings:
        # Each chunk draws on its own: rows of one number would be alike in all of them.
        seed = int(fingerprint([self.settings.seed, list(names)])[:7], 16)
        return GridSettings(
            max_new_tokens=length,
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
            seed=seed,
            token_budget=self.settings.token_budget,
        )

    def _gathered(
        self, instructions: Sequence[str]
    ) -> tuple[list[tuple[int, ...]], dict[str, int]]:
        """Return the prompts of all instructions in one list, and where each one's begin."""
        prompts: list[tuple[int, ...]] = []
        place: dict[str, int] = {}
        for instruction in dict.fromkeys(instructions):
            place[instruction] = len(prompts)
            prompts += self.prompts(instruction)
        return prompts, place

    def _likelihoods(
        self, questions: Sequence[int], texts: Sequence[tuple[int, ...]]
    ) -> list[float]:
        """Return each text's log-likelihood after the plain question; 0 of an empty one."""
        plain = self.prompts()
        full = [number for number, text in enumerate(texts) if text]
        totals = [0.0] * len(texts)
        if full:
            found = log_likelihoods(
                self.model,
                [plain[questions[number]] for number in full],
                [texts[number] for number in full],
                token_budget=self.settings.token_budget,
            )
            for number, total in zip(full, found.total.tolist(), strict=True):
                totals[number] = float(total)
        return totals

    def _diverge(self, absent: Absent, said: Mapping[int, tuple[int, ...]]) -> dict[str, float]:
        found = dict.fromkeys(absent, 0.0)  # of an empty answer there is nothing to diverge from
        full = {name: ask for name, ask in absent.items() if said[ask[1]]}
        if full:
            divergences = steered_divergence(
                self.model,
                self.prompts(),
                [said[question] for _, question in full.values()],
                [GridRow(question, _edits(arm)) for arm, question in full.values()],
                token_budget=self.settings.token_budget,
            )
            found |= dict(zip(full, divergences.tolist(), strict=True))
        return found


def _key(arm: Arm, question: int) -> str:
    return f"{arm.key}/{question}"


def _edits(arm: Arm) -> Any:
    return () if arm.candidate is None else arm.candidate.edits()


def _answer(entry: Any) -> Answer:
    return Answer(
        text=entry["text"],
        tokens=tuple(entry["tokens"]),
        finished=entry["finished"],
        margin=float("inf") if entry["margin"] is None else entry["margin"],
        log_likelihood=float("nan") if entry["log_likelihood"] is None else entry["log_likelihood"],
    )
