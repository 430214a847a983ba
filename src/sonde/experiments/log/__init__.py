"""The running log of an experiment, as Markdown from the ledger, with places for own remarks."""

from sonde.experiments.log.history import History, history_of
from sonde.experiments.log.page import FILE, Written, parts_of, write_log

__all__ = ["FILE", "History", "Written", "history_of", "parts_of", "write_log"]
