"""The size of a model from its configuration alone, and the tokens of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

from sonde.activations.settings import Template
from sonde.core.errors import SondeError
from sonde.core.folders import cache_folder
from sonde.data.examples import Example
from sonde.models.spec import ModelSpec

CHARACTERS_A_TOKEN = 4.2  # English prose with byte-pair vocabularies of 30,000 to 260,000 tokens
TEMPLATE_TOKENS = 12  # of a chat template around one turn
COUNTED = 1000  # examples that are tokenised; of more, this many spread evenly
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Sizes:
    """What estimates need of a model; memory is in bytes.

    ``block_parameters`` are the weights that one token meets in one block: of a mixture of
    experts, those of the experts that it is sent to.
    """

    n_layers: int
    d_model: int
    dtype: str
    block_parameters: int
    block_bytes: int
    weights: int
    peak_loading: int
    per_token: int
    cache_per_token: int

    def flops(self, tokens: int, blocks: int) -> float:
        """Return the operations of one sequence: 2 for each weight and token, and attention.

        Attention is 2 products of ``[pos, d_model]`` with ``[d_model, pos]``, of which the causal
        half counts: 2 · pos² · d_model.
        """
        return blocks * (2.0 * self.block_parameters * tokens + 2.0 * tokens**2 * self.d_model)

    def pass_bytes(self, tokens: int, hooks: int) -> int:
        """Return the memory of a pass over some tokens besides the weights."""
        return tokens * (self.per_token + hooks * self.d_model * BYTES[self.dtype])


def sizes_of(spec: ModelSpec, auto: str) -> Sizes:
    """Return a model's sizes, from its configuration; ``auto`` is the dtype that auto stands for.

    Raises:
        SondeError: the model is not known, or its configuration cannot be had.
    """
    return _sizes(cast("Any", spec), auto)


def depth_of(spec: ModelSpec) -> int:
    """Return how many blocks a model has, from its configuration.

    Raises:
        SondeError: the model is not known, or its configuration cannot be had or does not say.
    """
    return _depth(cast("Any", spec))


@cache
def _depth(spec: ModelSpec) -> int:
    from sonde.models.memory import config_of

    text = config_of(spec).get_text_config()
    _refuse_unsized(spec, text)
    return int(text.num_hidden_layers)


@cache
def _sizes(spec: ModelSpec, auto: str) -> Sizes:
    import torch

    from sonde.models.memory import config_of, estimate_config

    config = config_of(spec)
    text = config.get_text_config()
    dtype = auto if spec.dtype == "auto" else spec.dtype
    _refuse_unsized(spec, text)
    memory = estimate_config(spec, config, getattr(torch, dtype))
    outside = text.vocab_size * text.hidden_size * (1 if config.tie_word_embeddings else 2)
    in_block = max(0, memory.n_parameters - outside) // text.num_hidden_layers
    return Sizes(
        n_layers=text.num_hidden_layers,
        d_model=text.hidden_size,
        dtype=dtype,
        block_parameters=int(in_block * _share_met(text)),
        block_bytes=int(in_block * memory.weights / max(memory.n_parameters, 1)),
        weights=memory.weights,
        peak_loading=memory.peak_loading,
        per_token=memory.per_token,
        cache_per_token=memory.cache_per_token,
    )


def _refuse_unsized(spec: ModelSpec, text: Any) -> None:
    """Refuse a configuration without the sizes that transformers gives every family it reads."""
    wanted = ("num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads")
    missing = [name for name in wanted if getattr(text, name, None) is None]
    if missing:
        raise SondeError(
            f"The configuration of {spec.name} does not say {', '.join(missing)}, so its size is "
            "not known.",
            fix="Give a model of a family that sonde reads; `sonde doctor --model` tells.",
        )


def _share_met(text: Any) -> float:
    """Return the share of a block's weights that a token meets; nearly all of it is experts."""
    experts = getattr(text, "num_local_experts", None)
    return text.num_experts_per_tok / experts if experts else 1.0


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The number of tokens of each example, and how it was found."""

    lengths: tuple[int, ...]
    basis: str

    @property
    def total(self) -> int:
        """All tokens."""
        return sum(self.lengths)


def count_tokens(
    examples: Sequence[Example], spec: ModelSpec, template: Template = "auto"
) -> TokenCount:
    """Count the tokens of examples, with the model's tokenizer where that needs no download."""
    tokenizer = tokenizer_at_hand(spec)
    if tokenizer is None:
        around = 0 if template == "none" else TEMPLATE_TOKENS
        lengths = (round(_characters(one) / CHARACTERS_A_TOKEN) + around for one in examples)
        return TokenCount(tuple(lengths), f"(estimated: {CHARACTERS_A_TOKEN} characters a token)")
    from sonde.models.render import NotRendered, RenderSettings, iter_rendered

    chosen = list(examples) if len(examples) <= COUNTED else _spread(examples)
    settings = RenderSettings(template=template, too_long="truncate_right")
    found = [
        len(one.ids)
        for one in iter_rendered(tokenizer, chosen, settings)
        if not isinstance(one, NotRendered)
    ]
    if len(chosen) == len(examples) or not found:
        return TokenCount(tuple(found), "(counted)")
    lengths = [found[number % len(found)] for number in range(len(examples))]
    return TokenCount(tuple(lengths), f"(counted on {COUNTED:,} of the examples)")


def tokenizer_at_hand(spec: ModelSpec) -> Any | None:
    """Return the model's tokenizer if it is on this machine, else None."""
    try:
        return _tokenizer(cast("Any", spec))
    except LookupError:
        return None


# Only the last one is kept, and never that there was none: the model may be fetched meanwhile.
@lru_cache(maxsize=1)
def _tokenizer(spec: ModelSpec) -> Any:
    from sonde.models import checkpoint, embedded, hub, loading, source
    from sonde.models.entries import Entry
    from sonde.models.memory import config_of

    found, folder = source.resolve(spec), None
    match found:
        case source.Embedded() | source.Random(entry=Entry(name=embedded.NAME)):
            folder = cache_folder() / "models" / f"{embedded.NAME}-{embedded.FINGERPRINT}"
            if folder.is_dir():
                return loading.embedded_tokenizer(folder)
        case source.Folder(path=path):
            return checkpoint.load_tokenizer(path, spec.remote_code)
        case source.GgufPath(path=path):
            from sonde.models.gguf import read_gguf
            from sonde.models.tokenizers import gguf_tokenizer

            return gguf_tokenizer(read_gguf(path).metadata, str(path))
        case source.Random():
            return loading.random_tokenizer(found, config_of(spec))
        case source.Hub(repository=repository):
            folder = hub.cached_tokenizer(repository, spec.revision)
            if folder is not None:
                return checkpoint.load_tokenizer(folder, spec.remote_code)
    raise LookupError(f"no tokenizer of {spec.name} in {folder}")


def _characters(example: Example) -> int:
    prompt = example.prompt
    inside = prompt if isinstance(prompt, str) else "".join(turn.content for turn in prompt)
    return len(inside) + len(example.response or "")


def _spread(examples: Sequence[Example]) -> list[Example]:
    return [examples[number * len(examples) // COUNTED] for number in range(COUNTED)]
