"""Trackers: the numbers of a run as it goes, in a local file and wherever else they are wanted."""

from sonde.experiments.trackers.settings import AnyTracker, with_kinds
from sonde.experiments.trackers.tracker import RunFacts, Tracker
from sonde.experiments.trackers.tracking import (
    Tracking,
    check_trackers,
    facts_of,
    tracker_problems,
)
from sonde.experiments.trackers.values import Track

__all__ = [
    "AnyTracker",
    "RunFacts",
    "Track",
    "Tracker",
    "Tracking",
    "check_trackers",
    "facts_of",
    "tracker_problems",
    "with_kinds",
]
