"""Which judge, as an experiment file names it by ``kind``: a server, a model, rules or a probe."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.judges.coherence import CoherenceRuleSettings
from sonde.judges.prompts import PLACES
from sonde.models.render import RenderSettings
from sonde.models.spec import ModelSpec

Rubric: TypeAlias = Annotated[str | None, Field(min_length=1)]


class _Asking(Config):
    """What judges that are language models share.

    ``rubric`` replaces the question put to them; ``{question}``, ``{answer}``, ``{trait}``,
    ``{definition}``, ``{lowest}``, ``{highest}`` and ``{ask}`` are filled in. Below ``least_mass``
    of its probability on the scale the model did not answer, and there is no score.
    """

    rubric: Rubric = None
    least_mass: Annotated[float, Field(gt=0, le=1)] = 0.5

    @field_validator("rubric")
    @classmethod
    def _has_answer(cls, rubric: str | None) -> str | None:
        if rubric is not None:
            lacking = [
                f"{{{place}}}" for place in ("answer", "ask") if f"{{{place}}}" not in rubric
            ]
            if lacking:
                known = ", ".join(f"{{{place}}}" for place in PLACES)
                raise ValueError(f"the rubric lacks {' and '.join(lacking)} (places: {known})")
        return rubric


class ServerJudgeSettings(_Asking):
    """An OpenAI-compatible server: a hosted service, vLLM, llama.cpp.

    ``url`` goes up to and with ``/v1``. ``api_key_env`` names the environment variable that holds
    the key; the key itself stands in no file. ``scale: auto`` asks the server once which scale's
    answers are single tokens. Prices are for a million tokens; ``most_cost`` stops the judge once
    it has spent that in one run. What is kept of an earlier run costs nothing and does not count,
    so a run that goes on may spend as much again. Opinions are kept by the address, the name and
    what the server says of its model at ``/models``.
    """

    kind: Literal["server"] = "server"
    url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$")]
    model: Annotated[str, Field(min_length=1)]
    api_key_env: str | None = None
    scale: Literal["auto", "percent", "digits", "letters"] = "auto"
    top_logprobs: Annotated[int, Field(ge=1)] = 20
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    requests_per_minute: Annotated[float | None, Field(gt=0)] = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    tries: Annotated[int, Field(ge=1)] = 5
    first_wait: Annotated[float, Field(ge=0)] = 1.0
    price_in: Annotated[float, Field(ge=0)] = 0.0
    price_out: Annotated[float, Field(ge=0)] = 0.0
    most_cost: Annotated[float | None, Field(gt=0)] = None


class LocalJudgeSettings(_Asking):
    """A model that sonde loads itself, such as ``qwen2.5-7b``, scoring from 0 to 100.

    ``token_budget`` bounds the tokens of a batch, padding included. ``render`` says how the
    question becomes tokens; a model that thinks aloud first wants its template told not to.
    """

    kind: Literal["local"] = "local"
    model: ModelSpec | str
    token_budget: Annotated[int, Field(ge=1)] = 16384
    render: RenderSettings = RenderSettings()


class RuleJudgeSettings(Config):
    """Rules: of a trait its ``rule.json`` or the file ``rule``, of coherence the shares here."""

    kind: Literal["rules"] = "rules"
    rule: str | None = None
    coherence: CoherenceRuleSettings = CoherenceRuleSettings()


class ProbeJudgeSettings(Config):
    """A probe stage of the experiment: 100 times its probability of the class ``positive``.

    The model itself reads the answer, unsteered. ``at`` is the block whose probe judges, the one
    with the highest score if none is named. ``allow_other_model`` takes a probe of another model.
    """

    kind: Literal["probe"] = "probe"
    probe: str
    at: Annotated[int | None, Field(ge=0)] = None
    allow_other_model: bool = False


JudgeSettings: TypeAlias = Annotated[
    ServerJudgeSettings | LocalJudgeSettings | RuleJudgeSettings | ProbeJudgeSettings,
    Field(discriminator="kind"),
]
