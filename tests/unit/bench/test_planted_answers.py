"""The known answers of docs/trust.md, on fewer data sets."""

from bench.trust.known_answers import measure


def test_planted_directions_and_leaks_are_found():
    figures = measure(repeats=2)
    assert len(figures) == 17
    assert [figure.what for figure in figures if not figure.met] == []
