"""Texts with their labels: reading them, joining them with activations, the shipped sets."""

from sonde.data.accounting import Joined, JoinReport, join
from sonde.data.examples import Example, Message, as_examples
from sonde.data.read import read_data, read_examples
from sonde.data.sets import shipped, shipped_sets
from sonde.data.settings import Columns, DataSpec
from sonde.data.traits import Trait, read_trait

__all__ = [
    "Columns",
    "DataSpec",
    "Example",
    "JoinReport",
    "Joined",
    "Message",
    "Trait",
    "as_examples",
    "join",
    "read_data",
    "read_examples",
    "read_trait",
    "shipped",
    "shipped_sets",
]
