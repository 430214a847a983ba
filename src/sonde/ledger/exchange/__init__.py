"""Runs on their way out of a ledger and into another."""

from sonde.ledger.exchange.formats import FORMATS
from sonde.ledger.exchange.restoring import Imported
from sonde.ledger.exchange.transfer import Wanted, export_runs, import_runs

__all__ = ["FORMATS", "Imported", "Wanted", "export_runs", "import_runs"]
