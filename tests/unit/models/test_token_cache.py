"""Texts are tokenised once."""

import numpy as np
import pytest

from sonde.data.text_folders import Document, TextFolder
from sonde.models.token_cache import IDS, STARTS, tokenised
from sonde.models.tokenizers import byte_tokenizer

TEXTS = TextFolder("t", tuple(Document(f"d{n}", "ab" * n + "c") for n in range(100)), ())


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path))
    return tmp_path / "tokens"


def test_the_second_time_nothing_is_tokenised(cache, monkeypatch):
    tokenizer = byte_tokenizer(320)
    first = tokenised(tokenizer, TEXTS)
    assert not first.cached
    for number, document in enumerate(TEXTS.documents):
        own = first.ids[first.starts[number] : first.starts[number + 1]]
        assert tokenizer.decode(own) == document.text
    monkeypatch.setattr(type(tokenizer), "__call__", None)
    again = tokenised(tokenizer, TEXTS)
    assert again.cached
    assert np.array_equal(again.ids, first.ids)
    assert np.array_equal(again.starts, first.starts)


def test_other_texts_and_other_tokenizers_have_their_own_entry(cache):
    tokenised(byte_tokenizer(320), TEXTS)
    more = TextFolder("t", (*TEXTS.documents, Document("more", "more")), ())
    tokenised(byte_tokenizer(320), more)
    with_token = byte_tokenizer(320)
    with_token.add_tokens(["abab"])
    found = tokenised(with_token, TEXTS)
    assert not found.cached
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damaged", [IDS, STARTS])
def test_a_damaged_entry_is_made_again(cache, damaged):
    tokenizer = byte_tokenizer(320)
    whole = tokenised(tokenizer, TEXTS)
    (file,) = cache.rglob(damaged)
    file.write_bytes(file.read_bytes()[:-16])
    again = tokenised(tokenizer, TEXTS)
    assert not again.cached
    assert np.array_equal(again.ids, whole.ids)
