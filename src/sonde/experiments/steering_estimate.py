"""What a search of coefficients will cost: prompts once, then a token at a time in full batches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.experiments.facts import BATCH_TOKENS
from sonde.experiments.identity import with_path
from sonde.experiments.judging_estimate import with_judges
from sonde.experiments.sizes import CHARACTERS_A_TOKEN, TEMPLATE_TOKENS, sizes_of
from sonde.experiments.stage import Estimate
from sonde.judges.settings import ProbeJudgeSettings
from sonde.models.spec import ModelSpec
from sonde.steering.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonde.data.traits import Trait
    from sonde.experiments.facts import Facts
    from sonde.judges.settings import JudgeSettings

SCREENED = 8  # coefficients that the screen tries of a vector, about: each way to its cliff, halved


def search_estimate(
    facts: "Facts",
    own_model: ModelSpec | None,
    trait: "Trait",
    n_vectors: int,
    judges: "Sequence[JudgeSettings | None]",
    settings: SearchSettings,
) -> Estimate:
    """Count the tokens that are generated and read, for about ``n_vectors``.

    Each answer is read once more under the unedited model for its perplexity, and by judges that
    run here.

    Raises:
        SondeError: the model is not known.
    """
    screen, n_questions = settings.screen, len(trait.questions)
    arms = 2 + n_vectors * (settings.points + 1 + settings.refinements)
    screened = n_vectors * SCREENED * min(screen.questions, n_questions)
    rows = arms * n_questions + screened
    new = arms * n_questions * settings.max_new_tokens + screened * screen.tokens
    probes = sum(isinstance(one, ProbeJudgeSettings) for one in judges)
    written = Written(trait.questions, rows, new, reads=2 + probes)
    found = generation_estimate(facts, own_model, written)
    length = written.prompt + settings.max_new_tokens
    return with_judges(found, facts, judges, arms * n_questions, length)


@dataclass(frozen=True, slots=True)
class Written:
    """Texts to be written: ``new`` tokens in ``rows`` of them, each read ``reads - 1`` times."""

    prompts: tuple[str, ...]
    rows: int
    new: int
    reads: int = 1

    @property
    def prompt(self) -> int:
        """About how many tokens a prompt has."""
        characters = sum(map(len, self.prompts)) / max(1, len(self.prompts))
        return round(characters / CHARACTERS_A_TOKEN) + TEMPLATE_TOKENS


def generation_estimate(facts: "Facts", own_model: ModelSpec | None, written: Written) -> Estimate:
    """Count what a model writes and reads.

    Raises:
        SondeError: the model is not known.
    """
    spec = own_model or facts.planned.experiment.model
    if spec is None:
        return Estimate(unknown="the experiment names no model")
    sizes = sizes_of(with_path(spec, facts.planned.base), facts.dtype)
    prompt, rows, new = written.prompt, written.rows, written.new
    length = prompt + new // max(1, rows)
    at_once = max(1, BATCH_TOKENS // length)
    steps = -(-new // at_once)
    return Estimate(
        flops=written.reads * rows * sizes.flops(length, sizes.n_layers),
        traffic=float(steps * sizes.block_bytes * sizes.n_layers),
        memory=sizes.pass_bytes(BATCH_TOKENS, 0),
        tokens=written.reads * rows * length,
        basis=f"{rows:,} texts of at most {new // max(1, rows):,} tokens, prompts of about "
        f"{prompt:,}; {at_once:,} at a time",
    )
