"""Which tokens a text stands for."""

import pytest

from sonde.core.errors import SondeError
from sonde.models.target_tokens import target_tokens
from sonde.models.tokenizers import byte_tokenizer


@pytest.fixture(scope="module")
def bytewise():
    return byte_tokenizer(320)


def test_a_byte_is_a_token_and_so_are_its_other_forms(bytewise):
    found = target_tokens(bytewise, ["a", "b"])
    assert (found.texts, found.absent) == (("a", "b"), ())
    assert [bytewise.decode([one]) for one in found.ids] == ["a", "b"]
    forms = target_tokens(bytewise, ["a"], ("case", "space"))
    assert forms.texts == ("a", "A")
    assert forms.absent == (" a", " A")
    assert str(forms) == "'a', 'A'"


def test_what_is_not_one_token_is_shown_split_with_what_is_near(bytewise):
    with pytest.raises(SondeError, match=r"'ab' is 2 tokens .*: 'a' \+ 'b'\. .* near it: 'a'"):
        target_tokens(bytewise, ["a", "ab"])
    with pytest.raises(SondeError, match="No target token was given"):
        target_tokens(bytewise, [])
    with pytest.raises(SondeError, match="is empty"):
        target_tokens(bytewise, [""])


def test_a_space_belongs_to_the_token_of_a_word(embedded_name):
    from sonde.models.embedded import embedded_folder
    from sonde.models.loading import embedded_tokenizer

    tokenizer = embedded_tokenizer(embedded_folder())
    found = target_tokens(tokenizer, [" the"], ("case", "space"))
    assert set(found.texts) == {" the", " The", " THE", "the", "The", "THE"}
    for number, text in zip(found.ids, found.texts, strict=True):
        assert tokenizer("so" + text)["input_ids"][-1:] == [number] or not text.startswith(" ")
    with pytest.raises(SondeError, match=r"' theore' \+ 'matic'\. .*' theorem'"):
        target_tokens(tokenizer, [" theorematic"])
