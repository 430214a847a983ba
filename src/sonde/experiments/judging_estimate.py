"""What judging will cost on this machine: the models of local judges, beside what they judge."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.experiments.identity import with_path
from sonde.experiments.sizes import CHARACTERS_A_TOKEN, TEMPLATE_TOKENS, Sizes, sizes_of
from sonde.experiments.stage import Estimate
from sonde.judges.prompts import RUBRICS
from sonde.judges.settings import JudgeSettings, LocalJudgeSettings
from sonde.models.spec import ModelSpec, as_spec

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts


def with_judges(
    written: Estimate,
    facts: "Facts",
    judges: Sequence[JudgeSettings | None],
    answers: int,
    length: int,
) -> Estimate:
    """Add what local judges take to what is estimated already.

    Each reads up to ``answers`` of them, of ``length`` tokens with their question.

    A model that two judges share is held once. It stays in memory beside the model that is judged;
    only one of them runs at a time. What servers take is taken elsewhere, and is not counted.

    Raises:
        SondeError: a judge's model is not known.
    """
    local = [one for one in judges if isinstance(one, LocalJudgeSettings)]
    if not local or written.unknown:
        return written
    specs = [with_path(as_spec(one.model, {}), facts.planned.base) for one in local]
    held: dict[ModelSpec, Sizes] = {spec: sizes_of(spec, facts.dtype) for spec in specs}
    weights = sum(one.weights for one in held.values())
    passing = max(
        held[spec].pass_bytes(one.token_budget, 0) for spec, one in zip(specs, local, strict=True)
    )
    flops = sum(
        answers * held[spec].flops(_length(one) + length, held[spec].n_layers)
        for spec, one in zip(specs, local, strict=True)
    )
    names = " and ".join(dict.fromkeys(spec.name for spec in specs))
    loading = weights + max(one.peak_loading - one.weights for one in held.values())
    return replace(
        written,
        flops=written.flops + flops,
        memory=max(weights + max(written.memory, passing), loading),
        basis=f"{written.basis}; judged by {names}, in memory beside it",
    )


def _length(judge: LocalJudgeSettings) -> int:
    """Return about how many tokens a question to a judge has besides the answer."""
    rubric = judge.rubric or max(RUBRICS.values(), key=len)
    return round(len(rubric) / CHARACTERS_A_TOKEN) + TEMPLATE_TOKENS
