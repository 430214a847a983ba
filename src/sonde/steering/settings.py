"""Settings of a search: the way of steering, the texts, the screen, the limit, the choice."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from sonde.core.base import Config


class JudgedCoherence(Config):
    """Texts are coherent where a judge's mean score of coherence reaches ``at_least``, of 100."""

    kind: Literal["judged"] = "judged"
    at_least: Annotated[float, Field(ge=0, le=100)] = 70.0


class PerplexityCap(Config):
    """Texts are coherent where their perplexity is at most ``times`` the unsteered texts'.

    Both are under the unedited model, and each is that of all tokens together:
    exp(-sum of log-likelihoods / number of tokens).
    """

    kind: Literal["perplexity"] = "perplexity"
    times: Annotated[float, Field(gt=1)] = 1.5


Limit: TypeAlias = Annotated[JudgedCoherence | PerplexityCap, Field(discriminator="kind")]


class ScreenSettings(Config):
    """The pre-screen: which coefficients are plainly incoherent, without asking a judge.

    A coefficient passes where the steered model's next-token distributions lie within
    ``max_divergence`` nats a token of the unedited model's, on the unsteered answers, and the first
    ``tokens`` of its own answers have at most ``perplexity_times`` the perplexity of theirs. It is
    done on the first ``questions`` questions. ``start`` is where the search starts, in units of the
    typical norm; ``ratio`` the step of its first, geometric grid, which is halved ``halvings``
    times between the last coherent coefficient and the first incoherent one.
    """

    start: Annotated[float, Field(gt=0)] = 1.0
    ratio: Annotated[float, Field(gt=1)] = 2.0
    halvings: Annotated[int, Field(ge=1, le=6)] = 2
    questions: Annotated[int, Field(ge=1)] = 4
    tokens: Annotated[int, Field(ge=1)] = 16
    max_divergence: Annotated[float, Field(gt=0)] = 2.0
    perplexity_times: Annotated[float, Field(gt=1)] = 4.0
    lowest: Annotated[float, Field(gt=0)] = 2.0**-10
    highest: Annotated[float, Field(gt=0)] = 2.0**14

    @model_validator(mode="after")
    def _reaches_somewhere(self) -> "ScreenSettings":
        if not self.lowest < self.highest:
            raise ValueError(
                f"`lowest`, {self.lowest:g}, is to lie below `highest`, {self.highest:g}"
            )
        if not self.lowest <= self.start <= self.highest:
            raise ValueError(
                f"`start`, {self.start:g}, lies outside what is searched, {self.lowest:g} to "
                f"{self.highest:g} typical norms; most useful coefficients lie near 1"
            )
        return self


class SearchSettings(Config):
    """How a coefficient is searched for.

    ``towards``: ``more`` of the trait, by positive coefficients, or ``less``, by negative ones.
    ``room`` is how far the unsteered score must lie from that end of the scale of 0 to 100.
    ``points`` is how many coefficients the curve has from the cliff downwards, ``stride`` steps of
    the screen's finest grid apart; one more lies above the cliff. Where the limit lies elsewhere
    they go on until some are within it and one is not, and ``refinements`` rounds then halve what
    lies between. ``chunk`` rows
    are generated, measured and kept at a time: a run that is stopped loses one chunk at most.
    """

    kind: Literal["add", "clamp"] = "add"
    when: Literal["prompt", "generated", "both"] = "generated"
    steps: tuple[int, int | None] | None = None
    towards: Literal["more", "less"] = "more"
    screen: ScreenSettings = ScreenSettings()
    limit: Limit = PerplexityCap()
    points: Annotated[int, Field(ge=1)] = 5
    stride: Annotated[int, Field(ge=1)] = 2
    refinements: Annotated[int, Field(ge=0)] = 1
    room: Annotated[float, Field(ge=0, le=100)] = 10.0
    max_new_tokens: Annotated[int, Field(ge=1)] = 48
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    token_budget: Annotated[int, Field(ge=1)] | None = None
    template: Literal["auto", "chat", "none"] = "auto"
    chunk: Annotated[int, Field(ge=1)] = 256
    folds: Annotated[int, Field(ge=2)] = 5
    allow_other_model: bool = False
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _reaches_tokens(self) -> "SearchSettings":
        if self.steps is None:
            return self
        start, end = self.steps
        if start < 0 or (end is not None and end <= start):
            raise ValueError(
                f"`steps` is the window {start} to {end} of generated tokens, which is empty: "
                "write [0, 5] for the first five, or [5, null] for all from the sixth on"
            )
        if self.when == "prompt":
            raise ValueError("`steps` is a window of generated tokens, and `when` is prompt")
        return self

    @property
    def sign(self) -> float:
        """1 where more of the trait is wanted, -1 where less is."""
        return 1.0 if self.towards == "more" else -1.0
