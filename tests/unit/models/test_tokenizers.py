"""Tokenizers built by sonde: split rules by hand, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.models.tokenizers import PRE_TOKENIZERS, byte_tokenizer, gguf_tokenizer

BYTES = byte_tokenizer(300)


def metadata(**changes):
    letters = sorted(token for token in BYTES.get_vocab() if len(token) == 1)
    tokens = [*letters, "ab", "12", "Ġa", "<|mark|>"]
    known = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": ["a b", "1 2", "Ġ a"],
        "tokenizer.ggml.token_type": [1] * (len(tokens) - 1) + [3],
        "tokenizer.ggml.bos_token_id": len(tokens) - 1,
        "tokenizer.ggml.eos_token_id": len(tokens) - 1,
    }
    return known | changes


def pieces(text, **changes):
    tokenizer = gguf_tokenizer(metadata(**changes), "the test")
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_smollm_splits_digits_and_gpt2_does_not():
    assert pieces("ab12", **{"tokenizer.ggml.pre": "gpt-2"}) == ["ab", "12"]
    assert pieces("ab12", **{"tokenizer.ggml.pre": "smollm"}) == ["ab", "1", "2"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("gpt-2", ["1234", " ab", "\n\n", " x"]),
        ("smollm", ["1", "2", "3", "4", " ab", "\n\n", " x"]),
        ("llama-bpe", ["123", "4", " ab", "\n\n", " x"]),
        ("qwen2", ["1", "2", "3", "4", " ab", "\n\n", " x"]),
    ],
)
def test_split_rules_by_hand(rule, expected):
    split = PRE_TOKENIZERS[rule]().pre_tokenize_str("1234 ab\n\n x")
    assert [piece.replace("Ġ", " ").replace("Ċ", "\n") for piece, _ in split] == expected


def test_control_tokens_are_found_in_text_and_left_out_of_decoded_text():
    tokenizer = gguf_tokenizer(metadata(), "the test")
    ids = tokenizer("ab<|mark|>ab", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["ab", "<|mark|>", "ab"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "abab"


@pytest.mark.parametrize(("rule", "said"), [("gpt-2", True), ("llama-bpe", None)])
def test_bos_is_added_where_the_file_or_its_rule_asks(rule, said):
    changes = {"tokenizer.ggml.pre": rule}
    if said is not None:
        changes["tokenizer.ggml.add_bos_token"] = said
    tokenizer = gguf_tokenizer(metadata(**changes), "the test")
    assert tokenizer.convert_ids_to_tokens(tokenizer("ab")["input_ids"]) == ["<|mark|>", "ab"]
    assert (
        tokenizer("ab", add_special_tokens=False)["input_ids"] == tokenizer("ab")["input_ids"][1:]
    )


def test_no_bos_where_the_file_says_so():
    changes = {"tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": False}
    tokenizer = gguf_tokenizer(metadata(**changes), "the test")
    assert tokenizer.convert_ids_to_tokens(tokenizer("ab")["input_ids"]) == ["ab"]


def test_an_unknown_split_rule_or_kind_is_refused():
    with pytest.raises(SondeError, match=r"'qwen3'.*'qwen2'"):
        gguf_tokenizer(metadata(**{"tokenizer.ggml.pre": "qwen3"}), "x.gguf")
    with pytest.raises(SondeError, match=r"of the kind 'llama'"):
        gguf_tokenizer(metadata(**{"tokenizer.ggml.model": "llama"}), "x.gguf")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_bytes_round_trip(text):
    ids = BYTES(text, add_special_tokens=False)["input_ids"]
    assert BYTES.decode(ids, clean_up_tokenization_spaces=False) == text
    if "<|" not in text:
        assert len(ids) == len(text.encode())


def test_byte_tokenizer_speaks_chatml():
    text = BYTES.apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert BYTES.convert_tokens_to_ids("<|im_end|>") == 258


def test_a_vocabulary_too_small_for_bytes_is_refused():
    with pytest.raises(SondeError, match=r"vocab_size 100"):
        byte_tokenizer(100)
