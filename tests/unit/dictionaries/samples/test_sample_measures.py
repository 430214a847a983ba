"""Context diversity, and on how many tokens a latent fires."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from standing import Standing

from sonde.dictionaries.samples.measures import context_diversity, context_numbers, token_spread
from sonde.dictionaries.samples.windows import windows

TOKENS = st.lists(st.integers(0, 6), min_size=1, max_size=30)


def test_diversity_by_hand():
    latent, context = np.array([0, 0, 0, 2, 2]), np.array([7, 7, -9, 7, 8])
    found = context_diversity(latent, context, 3)
    assert found[0] == pytest.approx(2 / 3)
    assert np.isnan(found[1])
    assert found[2] == 1


def test_contexts_are_equal_where_tokens_and_cuts_are():
    corpus = Standing.of("a b c d a b c d", "b c d a b c d x", context=8)
    numbers = context_numbers(windows(corpus, np.array([2, 6, 5, 13, 9]), 1))
    assert numbers[0] == numbers[1] == numbers[3] == numbers[4], "b c d"
    assert numbers[2] != numbers[0]
    cut = context_numbers(windows(corpus, np.array([7, 3]), 1))
    assert cut[0] != cut[1], "c d alone, and c d a"


def test_spread_by_hand():
    # two tokens, equally often; one token alone; four different ones; none; a single sample
    latent = np.repeat([0, 1, 2, 4], [4, 3, 4, 1])
    token = np.array([5, 6, 5, 6, 9, 9, 9, 1, 2, 3, 4, 8])
    found = token_spread(latent, token, 5, most=2)
    assert found.effective[[0, 1, 2, 4]] == pytest.approx([2, 1, 4, 1])
    assert found.specialisation[:3] == pytest.approx([0.5, 1, 0])
    assert np.isnan(found.effective[3])
    assert np.isnan(found.specialisation[3:]).all()
    assert [one.tolist() for one in found.token] == [[5, 6], [9], [1, 2], [], [8]]
    assert found.share[0].tolist() == [0.5, 0.5]


@given(tokens=TOKENS)
def test_spread_is_the_entropy_of_the_tokens_and_blind_to_their_order(tokens):
    given_ids = np.array(tokens)
    found = token_spread(np.zeros(len(tokens), int), given_ids, 1)
    counts = np.unique(given_ids, return_counts=True)[1]
    assert found.effective[0] == pytest.approx(np.exp(entropy(counts)))
    if len(tokens) > 1:
        assert -1e-9 <= found.specialisation[0] <= 1 + 1e-9
    again = token_spread(np.zeros(len(tokens), int), np.sort(given_ids), 1)
    assert found.token[0].tolist() == again.token[0].tolist()
    assert found.share[0].sum() <= 1 + 1e-9


def test_no_samples_at_all():
    none = np.zeros(0, int)
    assert np.isnan(token_spread(none, none, 2).effective).all()
    assert np.isnan(context_diversity(none, none, 2)).all()
