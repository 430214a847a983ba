"""What eliciting preferences will cost: two prompts a pair, through all blocks."""

from sonde.experiments.facts import BATCH_TOKENS, Facts
from sonde.experiments.identity import with_path
from sonde.experiments.sizes import CHARACTERS_A_TOKEN, TEMPLATE_TOKENS, sizes_of
from sonde.experiments.stage import Estimate
from sonde.models.spec import ModelSpec
from sonde.probes.elicit_settings import ElicitSettings


def elicit_estimate(
    facts: Facts, settings: ElicitSettings, own_model: ModelSpec | None, data: str
) -> Estimate:
    """Count the tokens of the questions from the length of the tasks and of the question.

    Raises:
        SondeError: the data cannot be read, or the model is not known.
    """
    spec = own_model or facts.planned.experiment.model
    if spec is None:
        return Estimate(unknown="the experiment names no model")
    sizes = sizes_of(with_path(spec, facts.planned.base), facts.dtype)
    texts = [str(task.prompt) for task in facts.examples(data)]
    n = len(texts)
    pairs = min(settings.pairs, n * (n - 1) // 2)
    characters = 2 * sum(map(len, texts)) / max(n, 1) + len(settings.question)
    length = round(characters / CHARACTERS_A_TOKEN) + TEMPLATE_TOKENS
    tokens = 2 * pairs * length
    per_pass = max(1, (settings.token_budget or BATCH_TOKENS) // length)
    return Estimate(
        flops=2 * pairs * sizes.flops(length, sizes.n_layers),
        traffic=float(-(-2 * pairs // per_pass) * sizes.block_bytes * sizes.n_layers),
        memory=sizes.pass_bytes(per_pass * length, 0),
        tokens=tokens,
        basis=f"{pairs:,} pairs in both orders, {tokens:,} tokens (estimated) through "
        f"{sizes.n_layers} blocks",
    )
