"""Cost: what stages were expected to take, and what they took."""

from sonde.experiments.cost.cost import (
    Cost,
    Expected,
    took_in_words,
    total_cost,
    total_expected,
)
from sonde.experiments.cost.prices import Prices, load_prices

__all__ = [
    "Cost",
    "Expected",
    "Prices",
    "load_prices",
    "took_in_words",
    "total_cost",
    "total_expected",
]
