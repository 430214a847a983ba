"""How preferences are elicited from a model."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config

QUESTION = (
    "Which of these two tasks would you rather do?\n\nA: {a}\n\nB: {b}\n\nAnswer with A or B only."
)


class ElicitSettings(Config):
    """How a model is asked which of two tasks it would rather do.

    ``question`` has ``{a}`` and ``{b}`` where the tasks go; without a chat template ``Answer: (``
    follows it. ``answers`` are its two answers, one token each; a pair is asked in both
    orders, and the answers' log-odds are averaged so that a liking for a letter or a place cancels.
    ``pairs`` is how many pairs are asked, ``choose`` whether at ``random`` or, over ``rounds``,
    those whose answer would tell most about the utilities (``uncertain``). Averages within ``tie``
    of 0 are ties. ``outcome`` is the chance that the averaged log-odds stand for, or the ``winner``
    alone.
    """

    question: str = QUESTION
    answers: tuple[str, str] = ("A", "B")
    pairs: int = Field(default=1000, ge=1)
    choose: Literal["random", "uncertain"] = "random"
    rounds: int = Field(default=5, ge=2)
    tie: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    outcome: Literal["probability", "winner"] = "probability"
    template: Literal["auto", "chat", "none"] = "auto"
    token_budget: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("question")
    @classmethod
    def _names_both(cls, given: str) -> str:
        for place in ("{a}", "{b}"):
            if given.count(place) != 1:
                raise ValueError(f"write {place} once where that task goes")
        return given

    @model_validator(mode="after")
    def _answers_differ(self) -> "ElicitSettings":
        if self.answers[0] == self.answers[1] or not all(self.answers):
            raise ValueError(f"answers: give two different ones, not {self.answers}")
        return self
