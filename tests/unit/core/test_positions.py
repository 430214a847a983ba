"""Positions: the text and the value say the same, and tokens are those the text names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.core.positions import Pool, Position, Span, TokenSpans, parse_position

# system(2) user(3) eot | assistant(2) eot user(4) eot header(2) || response(5) eot newline
SPANS = TokenSpans(
    n_tokens=24,
    prompt=(0, 17),
    user=(10, 14),
    response=(17, 22),
    turns=((1, 3), (3, 6), (7, 9), (10, 14), (17, 22)),
    eot=(6, 9, 14, 22),
)

indices = st.integers(-30, 30)
ends = st.none() | indices


@st.composite
def positions(draw) -> Position:
    span = draw(st.sampled_from(Span))
    turn = draw(indices) if span is Span.TURN else None
    if draw(st.booleans()):
        return Position(span, turn, index=draw(indices))
    return Position(span, turn, None, draw(ends), draw(ends), draw(st.sampled_from(Pool)))


@given(positions())
def test_the_text_of_a_position_reads_back_as_it(position):
    assert parse_position(str(position)) == position


@given(positions())
def test_the_text_is_canonical(position):
    text = str(position)
    assert str(parse_position(f" {text} ")) == text


@pytest.mark.parametrize(
    ("text", "canonical", "tokens"),
    [
        ("prompt[-1]", "prompt[-1]", [16]),
        ("prompt[0]", "prompt[0]", [0]),
        ("user[-1]", "user[-1]", [13]),
        ("user", "user.mean", [10, 11, 12, 13]),
        ("response[:3]", "response[:3].mean", [17, 18, 19]),
        ("response[ -2 : ].max", "response[-2:].max", [20, 21]),
        ("response[:99]", "response[:99].mean", [17, 18, 19, 20, 21]),
        ("response.last", "response.last", [21]),
        ("response[:2].last", "response[:2].last", [18]),
        ("turn[1]", "turn[1].mean", [3, 4, 5]),
        ("turn[-1][0]", "turn[-1][0]", [17]),
        ("turn[0][1:].each", "turn[0][1:].each", [2]),
        ("eot", "eot.each", [6, 9, 14, 22]),
        ("eot[-1]", "eot[-1]", [22]),
        ("eot[1:3]", "eot[1:3].each", [9, 14]),
        ("all", "all.each", list(range(24))),
        ("all.mean", "all.mean", list(range(24))),
        ("all[:]", "all.each", list(range(24))),
    ],
)
def test_what_a_text_names(text, canonical, tokens):
    position = parse_position(text)
    assert str(position) == canonical
    assert list(position.tokens(SPANS)) == tokens


@given(positions())
def test_tokens_lie_in_their_stretch_or_the_error_says_which_position(position):
    try:
        tokens = list(position.tokens(SPANS))
    except SondeError as error:
        assert str(position) in str(error)
        return
    assert tokens == sorted(set(tokens))
    assert 0 <= tokens[0] <= tokens[-1] < SPANS.n_tokens
    if position.index is not None or position.pool is Pool.LAST:
        assert len(tokens) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("promt[-1]", "Did you mean 'prompt'"),
        ("prompt.meen", "no pool named 'meen'. Did you mean 'mean'"),
        ("prompt[-1].mean", "pools a single token. Leave out .mean"),
        ("prompt[1:2:3]", "a slice has a start and a stop"),
        ("user[1][2]", "only a turn has two indices"),
        ("turn", "an index is missing"),
        ("turn[:2]", "an index is missing"),
        ("prompt[]", "an index is missing"),
        ("prompt[x]", "an index is missing"),
        ("prompt[1_0]", "an index is missing"),
        ("prompt[１]", "an index is missing"),
        ("prompt[0.5]", "an index is missing"),
        ("response[:5", "is not a position"),
        ("", "is not a position"),
    ],
)
def test_what_is_no_position_is_an_error(text, message):
    with pytest.raises(SondeError, match=message.replace("[", r"\[")):
        parse_position(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt[17]", "prompt has 17 tokens"),
        ("response[9:]", r"response\[9:\]\.mean names no token: response has 5"),
        ("turn[5]", "has 5 turns"),
        ("turn[-6]", "has 5 turns"),
    ],
)
def test_positions_outside_the_example_are_errors(text, message):
    with pytest.raises(SondeError, match=message):
        parse_position(text).tokens(SPANS)


def test_an_example_without_a_response_or_a_user_says_so():
    bare = TokenSpans(n_tokens=4, prompt=(0, 4), user=None, response=None)
    for text in ("response[-1]", "user[0]"):
        with pytest.raises(SondeError, match=f"has no {text[:-4].rstrip('[')}"):
            parse_position(text).tokens(bare)
    with pytest.raises(SondeError, match="eot has 0 tokens"):
        parse_position("eot").tokens(bare)
