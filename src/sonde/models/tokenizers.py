"""Tokenizers built here: a GGUF file's own, and a byte-level one for models without any.

A GGUF stores a vocabulary and merges, and only the *name* of the rule that splits text before
merging (``tokenizer.ggml.pre``). A wrong rule gives token ids that decode to the same text and are
not what the model was trained on (digits are where it shows), so the rules are a table and an
unknown name is refused.
"""

from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.pre_tokenizers import PreTokenizer
from transformers import PreTrainedTokenizerFast

from sonde.core.errors import SondeError, nearest

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# The split rules as published with the models; llama.cpp's src/llama-vocab.cpp names them.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _gpt2_split() -> PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _digits_then_gpt2() -> PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), _gpt2_split()],
    )


def _split(pattern: str) -> Callable[[], PreTokenizer]:
    def build() -> PreTokenizer:
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )

    return build


PRE_TOKENIZERS: dict[str, Callable[[], PreTokenizer]] = {
    "gpt-2": _gpt2_split,
    "smollm": _digits_then_gpt2,
    "llama-bpe": _split(_LLAMA3),
    "qwen2": _split(_QWEN2),
}
_WHOLE_WORDS_FIRST = {"llama-bpe"}  # a word that is in the vocabulary is not merged up to
_COMPOSED = {"qwen2"}  # text is brought to Unicode NFC first
_BOS_UNLESS_SAID = {"llama-bpe"}  # files older than the flag

_CONTROL, _USER_DEFINED = 3, 4  # token types


def gguf_tokenizer(metadata: dict[str, Any], where: str) -> PreTrainedTokenizerFast:
    """Build the tokenizer that a GGUF file describes; ``where`` names the file in messages.

    Control tokens become special tokens: recognised in text, and left out when decoding without
    them.

    Raises:
        SondeError: the vocabulary is of a kind, or split by a rule, that is not in the table.
    """
    kind = metadata.get("tokenizer.ggml.model", "none")
    if kind != "gpt2":
        raise SondeError(
            f"{where} has a tokenizer of the kind {kind!r}; sonde builds only byte-level ones "
            "('gpt2') from GGUF.",
            fix="Load the safetensors folder or the hub id of this model instead.",
        )
    pre = metadata.get("tokenizer.ggml.pre", "default")
    if pre not in PRE_TOKENIZERS:
        raise SondeError(
            f"{where} splits text by the rule {pre!r} (tokenizer.ggml.pre), which is not in "
            f"sonde's table, and another rule would give wrong token ids."
            f"{nearest(pre, PRE_TOKENIZERS)}",
            fix=f"Known are {', '.join(PRE_TOKENIZERS)}; load the safetensors folder or the hub id "
            "of this model instead.",
        )
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in metadata["tokenizer.ggml.merges"]]
    backend = Tokenizer(
        models.BPE(
            vocab={token: number for number, token in enumerate(tokens)},
            merges=merges,
            ignore_merges=pre in _WHOLE_WORDS_FIRST,
        )
    )
    if pre in _COMPOSED:
        backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = PRE_TOKENIZERS[pre]()
    backend.decoder = decoders.ByteLevel()
    types = metadata.get("tokenizer.ggml.token_type", [1] * len(tokens))
    named = zip(tokens, types, strict=True)
    added = [(token, kind) for token, kind in named if kind in (_CONTROL, _USER_DEFINED)]
    backend.add_special_tokens([_verbatim(token) for token, kind in added if kind == _CONTROL])
    backend.add_tokens([_verbatim(token) for token, kind in added if kind == _USER_DEFINED])
    return _finish(backend, metadata, tokens, add_bos=pre in _BOS_UNLESS_SAID)


def _verbatim(token: str) -> AddedToken:
    return AddedToken(token, normalized=False)


def _finish(
    backend: Tokenizer, metadata: dict[str, Any], tokens: list[str], *, add_bos: bool
) -> PreTrainedTokenizerFast:
    """Name the special tokens and put the beginning-of-sequence token where the file asks."""
    names = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    special = {
        f"{short}_token": tokens[metadata[f"tokenizer.ggml.{long}_token_id"]]
        for long, short in names.items()
        if f"tokenizer.ggml.{long}_token_id" in metadata
    }
    special.setdefault("pad_token", special.get("eos_token", tokens[0]))
    if metadata.get("tokenizer.ggml.add_bos_token", add_bos) and "bos_token" in special:
        _prepend(backend, special["bos_token"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=False, **special
    )
    tokenizer.chat_template = metadata.get("tokenizer.chat_template")
    return tokenizer


def _prepend(backend: Tokenizer, bos: str) -> None:
    from tokenizers.processors import TemplateProcessing

    number = backend.token_to_id(bos)
    assert number is not None
    # An id of its own in the template, so that a token with brackets or colons is no trouble.
    piece = {"id": bos, "ids": [number], "tokens": [bos]}
    backend.post_processor = TemplateProcessing(
        single=[bos, "$A"], pair=[bos, "$A", bos, "$B:1"], special_tokens=[piece]
    )


def byte_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """Make a tokenizer of one token a byte, with a ChatML template, for a model without one.

    Ids 0 to 255 are the bytes, then ``<|endoftext|>``, ``<|im_start|>`` and ``<|im_end|>``.

    Raises:
        SondeError: the model has fewer than 259 token ids.
    """
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size < len(letters) + len(marks):
        raise SondeError(
            f"A byte-level tokenizer needs {len(letters) + len(marks)} token ids, and the "
            f"configuration has vocab_size {vocab_size}.",
            fix="Use a folder with a tokenizer of its own, or a larger vocab_size.",
        )
    vocab = {token: number for number, token in enumerate([*letters, *marks])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([_verbatim(mark) for mark in marks])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        eos_token="<|im_end|>",  # noqa: S106  (a token's text, no password)
        pad_token="<|endoftext|>",  # noqa: S106
    )
    tokenizer.chat_template = CHATML
    return tokenizer
