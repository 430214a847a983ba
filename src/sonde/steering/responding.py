"""Responses to a trait's scenarios, written by the model or given, and vetted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.files import write_json
from sonde.data.examples import Example
from sonde.data.scenarios import SIDES
from sonde.data.traits import Trait
from sonde.judges.judge import Judge
from sonde.models.render import RenderSettings
from sonde.steering.vetting import (
    SHORT,
    UNJUDGED,
    LeftOut,
    Written,
    counts_of,
    judge_of_trait,
    threshold_of,
    vet,
)
from sonde.steering.writing import TEXTS, written_responses

if TYPE_CHECKING:
    from sonde.models.model import Model

LEFT_OUT = "left_out.json"


class ResponseSettings(Config):
    """How scenarios are answered, and which answers pass.

    Each scenario is answered ``per_scenario`` times. Answers are sampled, as weak models fall into
    loops at temperature 0; ``seed`` decides them, and ``token_budget`` bounds the tokens in caches,
    and so memory. An answer passes with at least ``longest_window`` tokens (the longest position
    window that vectors are to be fitted on), a share of different word trigrams of
    ``least_distinct``, and a judge's score of at least ``threshold`` on the positive side or below
    it on the negative one; None is the threshold of the rule that judges, or 50. Fewer than
    ``least`` of a side are refused.
    """

    max_new_tokens: Annotated[int, Field(ge=1)] = 48
    temperature: Annotated[float, Field(ge=0)] = 0.4
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    seed: Annotated[int, Field(ge=0)] = 0
    per_scenario: Annotated[int, Field(ge=1)] = 1
    token_budget: Annotated[int, Field(ge=1)] | None = None
    longest_window: Annotated[int, Field(ge=1)] = 20
    least_distinct: Annotated[float, Field(ge=0, le=1)] = 0.5
    threshold: Annotated[float, Field(ge=0, le=100)] | None = None
    least: Annotated[int, Field(ge=1)] = 5
    render: RenderSettings = Field(default_factory=RenderSettings)


@dataclass(frozen=True, slots=True)
class Responses:
    """Vetted responses of both sides, positive ones first.

    ``examples`` have a prompt, a response, a label (``positive`` or ``negative``) and the group of
    their scenario; ``scores`` are the judge's, in their order, None where nobody judged.
    ``written`` counts what there was before, by side; ``left_out`` is what did not pass.
    """

    trait: str
    examples: tuple[Example, ...]
    scores: tuple[float | None, ...]
    left_out: tuple[LeftOut, ...]
    written: Mapping[str, int] = field(hash=False)
    vetted_by: str = ""
    threshold: float | None = None

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many responses were left out, by reason."""
        return counts_of(self.left_out)

    @property
    def kept(self) -> Mapping[str, int]:
        """How many responses passed, by side."""
        return {side: sum(one.label == side for one in self.examples) for side in SIDES}

    def __str__(self) -> str:
        sides = [_line(side, self.kept[side], self.written[side], self.left_out) for side in SIDES]
        by = f"vetted by {self.vetted_by}" if self.vetted_by else "by form alone, judged by nobody"
        return f"{self.trait}, {by}: {'; '.join(sides)}."


def responses(
    model: "Model",
    trait: Trait,
    settings: ResponseSettings | None = None,
    judge: Judge | None = None,
    folder: str | Path | None = None,
) -> Responses:
    """Answer a trait's scenarios with the model where no response is given, and vet the answers.

    ``judge`` vets them; without one the trait's own rule does, and where it has none they are
    vetted by form alone, which the result says. Chen et al. 2025 (arXiv:2507.21509) build persona
    vectors from responses that were made and filtered in this way.

    With a ``folder`` what was left out is written there, as ``left_out.json``, and what the model
    wrote is kept until it is vetted: should the judge be lost, a later call only judges.

    Raises:
        SondeError: sampling is off and a scenario is to be answered more than once; fewer than
            ``least`` responses of a side pass, or all are shorter than the longest window.
    """
    settings = settings or ResponseSettings()
    if settings.per_scenario > 1 and settings.temperature == 0:
        raise SondeError(
            f"per_scenario is {settings.per_scenario} at temperature 0, where every answer of a "
            "scenario is the same.",
            fix="Choose a temperature above 0, or per_scenario: 1.",
        )
    own = judge_of_trait(trait) if judge is None else judge
    threshold = threshold_of(own) if settings.threshold is None else settings.threshold
    place = None if folder is None else Path(folder)
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    written = written_responses(model, trait, settings, place)
    vetted = vet(
        written,
        trait,
        own,
        threshold=threshold,
        shortest=settings.longest_window,
        least_distinct=settings.least_distinct,
    )
    found = Responses(
        trait=trait.name,
        examples=tuple(one.example for one, _ in vetted.kept),
        scores=tuple(score for _, score in vetted.kept),
        left_out=vetted.left_out,
        written={side: sum(one.scenario.side == side for one in written) for side in SIDES},
        vetted_by=own.name if own is not None else "",
        threshold=threshold if own is not None else None,
    )
    if place is not None:
        write_json(place / LEFT_OUT, [asdict(one) for one in found.left_out])
    _check_enough(found, written, settings, place)
    if place is not None:
        (place / TEXTS).unlink(missing_ok=True)
    return found


def _check_enough(
    found: Responses, written: Sequence[Written], settings: ResponseSettings, folder: Path | None
) -> None:
    look = "Look at what was left out" + (f" ({folder / LEFT_OUT})" if folder else "")
    for side in SIDES:
        if found.kept[side] >= settings.least:
            continue
        mine = [one for one in written if one.scenario.side == side]
        longest = max(one.n_tokens for one in mine)
        said = _line(side, found.kept[side], found.written[side], found.left_out)
        if longest < settings.longest_window:
            raise SondeError(
                f"The longest {side} response of the trait {found.trait} has {longest} tokens, and "
                f"the longest window needs {settings.longest_window}. {said}.",
                fix=f"Choose shorter windows (longest_window: {max(longest, 1)} or less), or raise "
                f"max_new_tokens, {settings.max_new_tokens} here.",
            )
        short = counts_of(found.left_out, side).get(SHORT, 0)
        advice = "shorten longest_window, " if 2 * short >= len(mine) else ""
        raise SondeError(
            f"Too few responses of the trait {found.trait} passed: {said}; at least "
            f"{settings.least} are needed.{_unjudged(found, side)}",
            fix=f"{look}; {advice}change the scenarios or the rule, raise "
            "per_scenario, or lower least.",
        )


def _unjudged(found: Responses, side: str) -> str:
    """Return why the judge gave no score, where that is what most of a side lack."""
    details = [one.detail for one in found.left_out if one.side == side and one.reason == UNJUDGED]
    if 2 * len(details) <= found.written[side]:
        return ""
    return f" The judge {found.vetted_by} gave no score, for the first: {details[0].rstrip('.')}."


def _line(side: str, kept: int, written: int, left_out: Sequence[LeftOut]) -> str:
    counts = counts_of(left_out, side)
    lost = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"{kept} of {written} {side}" + (f" ({lost} left out)" if lost else "")
