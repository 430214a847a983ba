"""What training dictionaries will cost: passes, steps, the buffer, weights with their moments."""

from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.data.corpus import corpus_texts
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.sparsity import BatchTopK, TopK
from sonde.experiments.facts import BATCH_TOKENS, Facts, reach
from sonde.experiments.identity import with_path
from sonde.experiments.sizes import BYTES, CHARACTERS_A_TOKEN, sizes_of
from sonde.experiments.stage import Estimate

if TYPE_CHECKING:
    from sonde.experiments.stages.dictionary import DictionaryStage

STATES = 4  # numbers a weight in training: itself, its slope, two moments
STORED = 3  # of these in a checkpoint
DENSE_PRODUCTS = 6  # of a step whose latents are dense: three of the encoder, three of the decoder
SPARSE_PRODUCTS = 1.5  # of a step of the TopK family: the encoder's, and all else beside it
SAMPLE_BYTES = 20  # of a sample of a latent: value, token, step
UNKNOWN_TOKENS = "corpus.tokens is not given, and the texts are not counted beforehand"


def dictionary_estimate(facts: Facts, stage: "DictionaryStage") -> Estimate:
    """Count one forward pass over the tokens, and a step of every dictionary for each batch.

    Raises:
        SondeError: the model or a hook point is not there, or choices do not go together.
    """
    if stage.corpus is None:
        return _of_store(facts, stage)
    spec = stage.model or facts.planned.experiment.model
    reads = stage.reads()
    if spec is None or reads is None:
        return Estimate(unknown="the experiment names no model")
    spec = with_path(spec, facts.planned.base)
    sizes = sizes_of(spec, facts.dtype)
    depth, n_hooks = reach(reads, sizes.n_layers)
    made = [one.foreseen(sizes.d_model) for one in stage.dictionaries.values()]
    width = n_hooks * sizes.d_model * BYTES[stage.shuffle.dtype or sizes.dtype]
    memory, disk = _kept(stage, made, width)
    memory += sizes.pass_bytes(BATCH_TOKENS, n_hooks)
    tokens = _tokens(stage, stage.corpus, facts)
    if tokens is None:
        return Estimate(memory=memory, disk=disk, unknown=UNKNOWN_TOKENS)
    held = stage.corpus.held_out_tokens if stage.corpus.held_out else 0
    context, epochs = stage.corpus.context, stage.corpus.epochs
    read = tokens * epochs + held
    return Estimate(
        flops=read / context * sizes.flops(context, depth)
        + _flops(stage, made, tokens * epochs, held),
        traffic=float(-(-read // BATCH_TOKENS) * sizes.block_bytes * depth),
        memory=memory,
        disk=disk + 4 * (tokens + held),
        tokens=read,
        basis=f"{tokens:,} tokens through {depth} blocks"
        + _taken(stage, made, tokens * epochs, epochs),
    )


def _of_store(facts: Facts, stage: "DictionaryStage") -> Estimate:
    """Count the steps alone: no model is run."""
    given = stage.activations
    assert given is not None
    found = facts.stored_rows(given.stage)
    if found is None:
        return Estimate(unknown=f"{given.stage} is imported, and its rows are not counted yet")
    rows, sizes, dtype = found
    made = [one.foreseen(sizes.d_model) for one in stage.dictionaries.values()]
    hooks = {hook for one in stage.dictionaries.values() for hook in (*one.sources, *one.targets)}
    width = len(hooks) * sizes.d_model * BYTES[stage.shuffle.dtype or dtype]
    memory, disk = _kept(stage, made, width)
    held = round(rows * given.held_out)
    return Estimate(
        flops=_flops(stage, made, (rows - held) * given.epochs, held),
        memory=memory,
        disk=disk,
        basis=f"{rows - held:,} stored rows"
        + _taken(stage, made, (rows - held) * given.epochs, given.epochs),
    )


def _kept(stage: "DictionaryStage", made: list[Architecture], width: int) -> tuple[int, int]:
    """Return the bytes in memory and on disk, of a training on rows of ``width`` bytes."""
    weights = sum(_weights(one) for one in made)
    kept = stage.samples.slots * SAMPLE_BYTES if stage.samples is not None else 0
    samples = kept * sum(one.d_sae * len(one.reaches) for one in made)
    buffer = (stage.shuffle.delay + 1) * stage.shuffle.round_rows * width
    disk = stage.checkpoints.keep * (STORED * 4 * weights + samples) + 4 * weights
    return STATES * 4 * weights + buffer + samples, disk


def _flops(stage: "DictionaryStage", made: list[Architecture], rows: int, held: int) -> float:
    """Return the operations of all steps, and of the looks at held-out rows."""
    looks = 1 + (2 if stage.samples is not None else 0)  # scores, samples
    return sum(_step_flops(one) for one in made) * (rows + looks * held)


def _taken(stage: "DictionaryStage", made: list[Architecture], rows: int, epochs: int) -> str:
    often = f", {epochs} times" if epochs > 1 else ""
    return f"{often}; {rows // stage.shuffle.batch:,} steps of {_dictionaries(made)}"


def _weights(one: Architecture) -> int:
    read = [sum(one.d_in[n] for n in reach.sources) for reach in one.reaches]
    written = [sum(one.widths_out[n] for n in reach.targets) for reach in one.reaches]
    skip = sum(one.widths_out) * sum(one.d_in) if one.skip else 0
    return one.d_sae * (sum(read) + sum(written)) + skip


def _step_flops(one: Architecture) -> float:
    """Return the operations of a step, a row."""
    sparse = isinstance(one.sparsity, TopK | BatchTopK)
    read = sum(one.d_in[n] for reach in one.reaches for n in reach.sources)
    written = sum(one.widths_out[n] for reach in one.reaches for n in reach.targets)
    if sparse:
        return 2.0 * one.d_sae * read * SPARSE_PRODUCTS
    return one.d_sae * (read + written) * float(DENSE_PRODUCTS)


def _tokens(stage: "DictionaryStage", corpus: CorpusSettings, facts: Facts) -> int | None:
    """Return the tokens that are trained on, guessed by the length of the texts where not given."""
    if corpus.tokens is not None:
        return corpus.tokens
    try:
        texts = corpus_texts(stage.located(facts.planned.base))
        if texts.streamed:
            return None
        characters = sum(len(text) for row in texts.rows() for text in row.documents)
    except SondeError:
        return None
    return round(characters / CHARACTERS_A_TOKEN * (1 - corpus.held_out))


def _dictionaries(made: list[Architecture]) -> str:
    if len(made) == 1:
        return f"a {made[0].name} with {made[0].d_sae:,} latents"
    return f"{len(made)} dictionaries"
