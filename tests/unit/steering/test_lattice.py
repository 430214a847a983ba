"""The lattice of coefficients, and the search on it."""

from math import log2

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from sonde.core.errors import SondeError
from sonde.steering.lattice import Bracket, Lattice, Reach

REACH = Reach(lowest=-80, highest=112)


def searched(lattice, base, cliff, reach=REACH):
    """Run the search against an oracle that is coherent up to ``cliff``; count what it asked."""
    said, waiting = {}, lattice.start(base)
    while waiting:
        for point in waiting:
            said[point] = lattice.coefficient(point) <= cliff
        waiting = lattice.next_points(said, reach)
    return lattice.bracket(said), len(said)


def test_bisection_by_hand():
    lattice = Lattice(ratio=2.0, fine=4)
    # Starts at 1/4, 1/2, 1, 2; all are coherent up to 5: 4 is, 8 is not; then 2^2.5 = 5.66 is not,
    # and 2^2.25 = 4.76 is.
    found, asked = searched(lattice, 1.0, 5.0)
    assert found == Bracket(coherent=9, incoherent=10)
    assert lattice.coefficient(9) == pytest.approx(4.7568, abs=1e-4)
    assert lattice.coefficient(10) == pytest.approx(5.6569, abs=1e-4)
    assert asked == 8


@given(
    cliff=floats(0.02, 300),
    base=floats(0.5, 2),
    wrong=floats(0.1, 10),
    halvings=integers(1, 4),
)
def test_a_tenfold_wrong_base_ends_at_the_same_cliff(cliff, base, wrong, halvings):
    lattice = Lattice(ratio=2.0, fine=2**halvings)
    reach = Reach(-20 * lattice.fine, 20 * lattice.fine)
    right, _ = searched(lattice, base, cliff, reach)
    other, asked = searched(lattice, base * wrong, cliff, reach)
    assert right == other
    assert right.incoherent - right.coherent == 1
    assert lattice.coefficient(right.coherent) <= cliff < lattice.coefficient(right.incoherent)
    octaves = abs(log2(cliff / (base * wrong)))
    assert asked <= 4 + octaves + 3 + halvings + 2


def test_what_is_coherent_beyond_the_first_fall_does_not_count():
    said = {-8: True, 0: True, 8: False, 16: True}
    assert Lattice.bracket(said) == Bracket(0, 8)


def test_a_search_ends_at_its_reach():
    lattice = Lattice(ratio=2.0, fine=2)
    never, _ = searched(lattice, 1.0, 0.0, Reach(-10, 10))
    assert never == Bracket(None, -10)
    always, _ = searched(lattice, 1.0, float("inf"), Reach(-10, 10))
    assert always == Bracket(10, None)


@given(point=integers(-60, 60), ratio=floats(1.2, 4), halvings=integers(0, 5))
def test_points_and_coefficients_are_each_other(point, ratio, halvings):
    lattice = Lattice(ratio, 2**halvings)
    assert lattice.point(lattice.coefficient(point)) == point


def test_a_base_must_be_above_zero():
    with pytest.raises(SondeError, match="cannot start at a coefficient of 0"):
        Lattice().nearest(0.0)
