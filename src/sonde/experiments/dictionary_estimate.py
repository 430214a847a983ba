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
FIRED_BYTES = 12  # of an activation that is remembered for the texts of samples
REMEMBERED = 1 << 25  # activations at most
FIRST = 16_384  # rows that training begins with, of texts and of stores alike
HELD = 1 << 30  # bytes of held-out rows that are kept rather than computed again
UNKNOWN_ACTIVE = 100  # latents a row, where the sparsity does not say
CHOSEN = 1 << 25  # bytes of pre-activations that the TopK family makes at a time
# Tensors of rows times latents that live at once in a step of dense latents, gradients counted.
DENSE_TENSORS = {"relu": 4, "jumprelu": 7, "gated": 8}
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
    held = stage.corpus.held_out_tokens if stage.corpus.held_out else 0
    memory, disk = _kept(stage, made, width, held)
    memory += sizes.pass_bytes(BATCH_TOKENS, n_hooks)
    tokens = _tokens(stage, stage.corpus, facts)
    if tokens is None:
        return Estimate(memory=memory, disk=disk, unknown=UNKNOWN_TOKENS)
    context, epochs = stage.corpus.context, stage.corpus.epochs
    read = tokens * epochs + held + FIRST
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
    held = round(rows * given.held_out)
    memory, disk = _kept(stage, made, width, held)
    return Estimate(
        flops=_flops(stage, made, (rows - held) * given.epochs, held),
        memory=memory,
        disk=disk,
        basis=f"{rows - held:,} stored rows"
        + _taken(stage, made, (rows - held) * given.epochs, given.epochs),
    )


def _kept(
    stage: "DictionaryStage", made: list[Architecture], width: int, held: int
) -> tuple[int, int]:
    """Return the bytes in memory and on disk, of a training on rows of ``width`` bytes.

    In memory: weights with their moments, samples, what training takes beside them (the buffer, a
    step), and what a look at ``held`` held-out rows takes (those that are kept, their activations):
    allocators keep most of what the first lets go. On disk there is one checkpoint more than are
    kept while it is written.
    """
    latents = [one.d_sae * len(one.reaches) for one in made]
    weights = sum(_weights(one) for one in made)
    kept = stage.samples.slots * SAMPLE_BYTES if stage.samples is not None else 0
    samples = [kept * one for one in latents]
    buffer = (stage.shuffle.delay + 1) * stage.shuffle.round_rows * width
    step = max(_step_bytes(one, stage.shuffle.batch) for one in made)
    rows = min(HELD, held * width) + FIRST * width
    fired = max(held * _active(one) for one in made) if kept else 0
    look = rows + min(REMEMBERED, fired) * FIRED_BYTES + max(samples)
    memory = STATES * 4 * weights + sum(samples) + buffer + step + look
    a_checkpoint = STORED * 4 * weights + sum(samples)
    return memory, (stage.checkpoints.keep + 1) * a_checkpoint + 4 * weights


def _step_bytes(one: Architecture, batch: int) -> int:
    """Return what a step makes beside weights: dense latents, or some rows' pre-activations."""
    dense = 4 * batch * one.d_sae * len(one.reaches)
    tensors = DENSE_TENSORS.get(one.sparsity.kind)
    return min(dense, CHOSEN) if tensors is None else tensors * dense


def _active(one: Architecture) -> int:
    """Return about how many latents are active in a row; what a penalty leaves is not known."""
    sparsity = one.sparsity
    return sparsity.k if isinstance(sparsity, TopK | BatchTopK) else UNKNOWN_ACTIVE


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
