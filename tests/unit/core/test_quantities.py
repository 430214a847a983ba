import pytest

from sonde.core.quantities import (
    bytes_in_words,
    dollars_in_words,
    energy_in_words,
    seconds_in_words,
)


@pytest.mark.parametrize(
    ("joules", "text"),
    [(0, "0 J"), (3599, "3599 J"), (3600, "1.0 Wh"), (45_000, "12.5 Wh"), (4.5e6, "1.2 kWh")],
)
def test_energy_in_words(joules, text):
    assert energy_in_words(joules) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.0042, "$0.0042"), (0.1, "$0.10"), (1.25, "$1.25"), (1340.4, "$1,340")],
)
def test_money_in_words(dollars, text):
    assert dollars_in_words(dollars) == text


def test_sizes_and_times_beyond_the_command_line_s_tests():
    assert bytes_in_words(1e6) == "1.0 MB"
    assert seconds_in_words(3600) == "1 h 0 min"
