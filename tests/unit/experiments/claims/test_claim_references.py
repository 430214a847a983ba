import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.experiments.claims.references import ResultReference, parse_reference


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("news.selected", ("news", "selected", "", "")),
        ("news.blocks.17.resid_post", ("news", "blocks.17.resid_post", "", "")),
        ("news.blocks.1.mlp_out prompt[-1]", ("news", "blocks.1.mlp_out prompt[-1]", "", "")),
        ("news.selected/bag of tokens", ("news", "selected", "bag of tokens", "")),
        ("news.selected [seed=1]", ("news", "selected", "", "seed=1")),
        (
            "a-1.x/length [seed=1, acts.positions=prompt[-1]]",
            ("a-1", "x", "length", "seed=1, acts.positions=prompt[-1]"),
        ),
        ("  news.selected  /  length ", ("news", "selected", "length", "")),
    ],
)
def test_a_reference_is_read_part_by_part(text, parts):
    assert parse_reference(text) == ResultReference(*parts)


@pytest.mark.parametrize("text", ["", "news", "news.", ".selected", "news.a/b/c", "n s.x"])
def test_what_is_no_reference_is_refused_with_the_grammar(text):
    with pytest.raises(SondeError, match="Write STAGE"):
        parse_reference(text)


name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]*", fullmatch=True)
words = st.from_regex(r"[a-z0-9_.]+( [a-z]+\[-?[0-9]\])?", fullmatch=True)


@given(name, words, st.just("") | words, st.just("") | st.from_regex(r"[a-z.]+=[a-z0-9\[\]]+"))
def test_a_reference_reads_back_as_it_is_written(stage, result, against, variant):
    variant = " ".join(variant.split())
    reference = ResultReference(stage, result, against, variant)
    assert parse_reference(str(reference)) == reference
