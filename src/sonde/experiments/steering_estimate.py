"""What a search of coefficients will cost: prompts once, then a token at a time in full batches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.experiments.facts import BATCH_TOKENS
from sonde.experiments.identity import with_path
from sonde.experiments.judging_estimate import with_judges
from sonde.experiments.sizes import CHARACTERS_A_TOKEN, TEMPLATE_TOKENS, Sizes, sizes_of
from sonde.experiments.stage import Estimate
from sonde.judges.settings import ProbeJudgeSettings
from sonde.models.spec import ModelSpec
from sonde.steering.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonde.data.traits import Trait
    from sonde.experiments.facts import Facts
    from sonde.judges.settings import JudgeSettings

COPIES = 5  # of logits that are held at once where distributions are compared, in float32
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
    written = Written(trait.questions, rows, new, 2 + probes, settings.token_budget, settings.chunk)
    found = generation_estimate(facts, own_model, written)
    length = written.prompt + settings.max_new_tokens
    return with_judges(found, facts, judges, arms * n_questions, length)


@dataclass(frozen=True, slots=True)
class Written:
    """Texts to be written: ``new`` tokens in ``rows`` of them, each read ``reads - 1`` times.

    ``budget`` is how many tokens caches may hold, ``chunk`` how many texts are written in one grid;
    None is the grid's own budget, and all of them.
    """

    prompts: tuple[str, ...]
    rows: int
    new: int
    reads: int = 1
    budget: int | None = None
    chunk: int | None = None

    @property
    def length(self) -> int:
        """About how many tokens a text has with its prompt."""
        return self.prompt + self.new // max(1, self.rows)

    @property
    def in_a_grid(self) -> int:
        """How many texts are written in one grid."""
        return min(self.rows, self.chunk or self.rows)

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
    length = written.length
    at_once = min(max(1, written.in_a_grid), max(1, _budget(written) // length))
    steps = -(-new // at_once)
    return Estimate(
        flops=written.reads * rows * sizes.flops(length, sizes.n_layers),
        traffic=float(steps * sizes.block_bytes * sizes.n_layers),
        memory=grid_bytes(sizes, written),
        tokens=written.reads * rows * length,
        basis=f"{rows:,} texts of at most {new // max(1, rows):,} tokens, prompts of about "
        f"{prompt:,}; {at_once:,} at a time",
    )


def grid_bytes(sizes: Sizes, written: Written) -> int:
    """Return the memory of writing texts and reading them again, besides the model's weights.

    Tokens in caches, up to the budget; the states of a pass and its logits; and the second copy of
    a small float32 model's weights that a large grid lays out for a CPU.
    """
    from sonde.models.likelihood import LOGITS
    from sonde.models.packed import LARGEST, WORTH

    cached = min(_budget(written), written.in_a_grid * written.length)
    new = written.in_a_grid * (written.new // max(1, written.rows))
    packs = sizes.dtype == "float32" and sizes.weights <= LARGEST and new >= WORTH
    return (
        cached * sizes.cache_per_token
        + sizes.pass_bytes(BATCH_TOKENS, 0)
        + COPIES * 4 * LOGITS
        + (sizes.weights if packs else 0)
    )


def _budget(written: Written) -> int:
    from sonde.models.grid_plan import DEFAULT_BUDGET

    return written.budget or DEFAULT_BUDGET
