"""The order of shuffled rows, by arithmetic alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonde.activations.shuffled_order import ChunkOrder
from sonde.activations.shuffled_rounds import Rounds


def test_two_rounds_in_two_parts_by_hand():
    rounds = Rounds(np.array([4, 5]), delay=2, batch=4, seed=0)
    # Round 0 gives 2 + 2, round 1 gives 2 + 3: stretches of 2, 2 + 2 and 3 rows.
    assert rounds.ends.tolist() == [2, 6, 9]
    assert (rounds.n_batches, rounds.unused) == (2, 1)
    assert rounds.located(0) == (0, 0)
    assert rounds.located(1) == (1, 2)
    assert [list(rounds.drawn_on(stretch)) for stretch in range(3)] == [[0], [0, 1], [1]]
    assert (rounds.part(1, 1), rounds.part(1, 2)) == (slice(0, 2), slice(2, 5))


@given(
    rows=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    delay=st.integers(1, 4),
    batch=st.integers(1, 9),
)
def test_stretches_give_each_row_of_each_round_once(rows, delay, batch):
    rounds = Rounds(np.array(rows), delay, batch, seed=3)
    given_rows = []
    for stretch in range(len(rounds.ends)):
        dealt = [
            (number, row)
            for number in rounds.drawn_on(stretch)
            for row in range(rows[number])[rounds.part(number, stretch)]
        ]
        before = int(rounds.ends[stretch - 1]) if stretch else 0
        assert len(dealt) == rounds.ends[stretch] - before
        given_rows += dealt
    assert sorted(given_rows) == [
        (number, row) for number, n in enumerate(rows) for row in range(n)
    ]
    for number in range(rounds.n_batches):
        stretch, row = rounds.located(number)
        before = int(rounds.ends[stretch - 1]) if stretch else 0
        assert before + row == number * batch
        assert before + row < rounds.ends[stretch]


@given(wanted=st.integers(0, 40), there=st.integers(1, 40))
def test_rows_are_chosen_once_each_as_far_as_they_reach(wanted, there):
    rounds = Rounds(np.array([wanted]), delay=1, batch=1, seed=5)
    counts = np.bincount(rounds.chosen(0, there), minlength=there)
    assert counts.sum() == wanted
    assert counts.max() - counts.min() <= 1


@given(
    n_chunks=st.integers(1, 40),
    epochs=st.integers(1, 3),
    window=st.integers(1, 50),
    per_round=st.integers(1, 50),
    seed=st.integers(0, 3),
)
def test_rounds_read_each_chunk_once_an_epoch_window_by_window(
    n_chunks, epochs, window, per_round, seed
):
    order = ChunkOrder(n_chunks, epochs, min(window, n_chunks), per_round, seed)
    read = np.concatenate([order.round(number) for number in range(len(order.sizes))])
    assert order.sizes.tolist() == [len(order.round(n)) for n in range(len(order.sizes))]
    assert np.array_equal(read, order.read(0, n_chunks * epochs))
    for epoch in read.reshape(epochs, n_chunks):
        assert sorted(epoch) == list(range(n_chunks))
        for start in range(0, n_chunks, window):
            end = min(start + window, n_chunks)
            assert sorted(epoch[start:end]) == list(range(start, end))


def test_stretches_have_their_own_order_and_seeds_theirs():
    rounds, other = (Rounds(np.full(3, 60), 2, 4, seed) for seed in (5, 6))
    orders = [rounds.order(0, 30), rounds.order(1, 30), rounds.order(2, 30), other.order(0, 30)]
    assert len({tuple(one) for one in orders}) == 4
    assert all(sorted(one) == list(range(30)) for one in orders)
    assert (rounds.order(1, 30) == orders[1]).all()


def test_seeds_and_epochs_have_their_own_order():
    first = ChunkOrder(50, 2, 50, 10, seed=0)
    assert not np.array_equal(first.read(0, 50), first.read(50, 100))
    assert not np.array_equal(first.read(0, 50), ChunkOrder(50, 2, 50, 10, seed=1).read(0, 50))
    assert not np.array_equal(first.read(0, 50), np.arange(50))
