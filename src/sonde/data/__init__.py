"""Texts with their labels: reading them, joining them with activations, the shipped sets."""

from sonde.data.accounting import Joined, JoinReport, join
from sonde.data.comparison_settings import ComparisonSpec, DrawSettings
from sonde.data.comparisons import Comparison, Comparisons
from sonde.data.corpus_settings import CorpusSettings
from sonde.data.examples import Example, Message, as_examples
from sonde.data.ratings import draw_comparisons, read_ratings
from sonde.data.read import read_data, read_examples
from sonde.data.read_comparisons import read_comparisons
from sonde.data.scenarios import Scenario
from sonde.data.sets import shipped, shipped_sets, shipped_trait, shipped_traits
from sonde.data.settings import Columns, DataSpec
from sonde.data.traits import Trait, read_trait

__all__ = [
    "Columns",
    "Comparison",
    "ComparisonSpec",
    "Comparisons",
    "CorpusSettings",
    "DataSpec",
    "DrawSettings",
    "Example",
    "JoinReport",
    "Joined",
    "Message",
    "Scenario",
    "Trait",
    "as_examples",
    "draw_comparisons",
    "join",
    "read_comparisons",
    "read_data",
    "read_examples",
    "read_ratings",
    "read_trait",
    "shipped",
    "shipped_sets",
    "shipped_trait",
    "shipped_traits",
]
