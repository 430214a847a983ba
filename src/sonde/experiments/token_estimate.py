"""What a token task will cost: one pass over its chunks, and the rows held in memory."""

from collections.abc import Collection
from dataclasses import replace

from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.data.text_folders import TextFolder
from sonde.experiments.estimating import LOADED_A_SECOND
from sonde.experiments.facts import BATCH_TOKENS, Facts, reach
from sonde.experiments.identity import with_path
from sonde.experiments.sizes import BYTES, CHARACTERS_A_TOKEN, sizes_of, tokenizer_at_hand
from sonde.experiments.stage import Estimate
from sonde.models.spec import ModelSpec

ESTIMATED = f"(estimated: {CHARACTERS_A_TOKEN} characters a token)"


def token_estimate(
    facts: Facts, settings: TokenTaskSettings, own_model: ModelSpec | None, texts: TextFolder
) -> Estimate:
    """Count the tokens that the model reads, with its tokenizer where that needs no download.

    Raises:
        SondeError: a target is not one token, a chunk is longer than the model's context, the texts
            have too few of the target, or the model or a hook point is not there.
    """
    spec = own_model or facts.planned.experiment.model
    if spec is None:
        return Estimate(unknown="the experiment names no model")
    spec = with_path(spec, facts.planned.base)
    sizes = sizes_of(spec, facts.dtype)
    depth, n_hooks = reach(settings.reading(), sizes.n_layers)
    tokens, rows, basis = _counted(facts, settings, spec, texts)
    held = rows * n_hooks * sizes.d_model * BYTES[sizes.dtype]
    n_batches = -(-tokens // BATCH_TOKENS)
    return Estimate(
        flops=tokens / settings.context * sizes.flops(settings.context, depth),
        traffic=float(n_batches * sizes.block_bytes * depth),
        memory=sizes.pass_bytes(min(tokens, BATCH_TOKENS), n_hooks) + held,
        tokens=tokens,
        basis=f"{tokens:,} tokens {basis} through {depth} blocks; {rows:,} rows at {n_hooks} hook "
        "points, held in memory",
    )


def read_again(name: str, unread: Collection[str], facts: Facts) -> Estimate:
    """Return the passes that a stage causes in token tasks whose result is there already.

    Only which tokens are rows is kept, so the model is loaded and run once more. ``unread`` names
    the token tasks that are done and that no earlier stage of the run reads.

    Raises:
        SondeError: as ``token_estimate``.
    """
    whole, stages = Estimate(), facts.planned.experiment.stages
    for task in sorted({one.stage for one in stages[name].inputs()} & set(unread)):
        stage = stages[task]
        one, spec = stage.estimate(facts), facts.planned.model_of(task)
        if one.unknown or spec is None:
            continue
        weights = sizes_of(with_path(spec, facts.planned.base), facts.dtype).weights
        whole = replace(
            whole,
            flops=whole.flops + one.flops,
            traffic=whole.traffic + one.traffic,
            memory=max(whole.memory, weights + one.memory),
            seconds=whole.seconds + weights / LOADED_A_SECOND,
            tokens=whole.tokens + one.tokens,
            basis=f"{whole.basis}; reads {task} again: {one.basis}",
        )
    return whole


def together(one: Estimate, other: Estimate) -> Estimate:
    """Add one estimate to another, of the same stage; memory is needed in turn."""
    return replace(
        one,
        flops=one.flops + other.flops,
        traffic=one.traffic + other.traffic,
        memory=max(one.memory, other.memory),
        seconds=one.seconds + other.seconds,
        tokens=one.tokens + other.tokens,
        basis=f"{one.basis}{other.basis}",
    )


def _counted(
    facts: Facts, settings: TokenTaskSettings, spec: ModelSpec, texts: TextFolder
) -> tuple[int, int, str]:
    """Return how many tokens are read and how many become rows, and how that was found."""
    tokenizer = tokenizer_at_hand(spec)
    if tokenizer is None:
        there = round(sum(len(one.text) for one in texts.documents) / CHARACTERS_A_TOKEN)
        tokens = min(there, settings.max_tokens or there)
        return (
            tokens,
            min(settings.rows, tokens),
            ESTIMATED,
        )
    from sonde.activations.token_picking import asked_of, pick_rows
    from sonde.models.memory import config_of

    context = config_of(spec).get_text_config().max_position_embeddings
    seed = facts.planned.experiment.seed
    asked = asked_of(tokenizer, context, texts, settings, seed=seed)
    rows, found = pick_rows(asked, settings, seed=seed)
    return found.tokens_run, len(rows), "(counted)"
