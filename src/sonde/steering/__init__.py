"""Steering: trait responses, units, the search for a coefficient, monitoring."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.steering.answering import Session
    from sonde.steering.candidates import Arm, Candidate, How
    from sonde.steering.cliffs import Cliff
    from sonde.steering.controls import random_control
    from sonde.steering.evaluation import TableRow, evaluation_table
    from sonde.steering.gates import probe_gate
    from sonde.steering.joint import JointVectors
    from sonde.steering.judging_by_probe import probe_judge
    from sonde.steering.monitoring import Transcript, monitor, transcripts
    from sonde.steering.projections import Projections
    from sonde.steering.responding import Responses, ResponseSettings, responses
    from sonde.steering.results import Best, SteeringResults
    from sonde.steering.room import FrameRoom, check_room, scan_frames
    from sonde.steering.scoring import Judges
    from sonde.steering.screening import screen
    from sonde.steering.searching import search
    from sonde.steering.session import open_session
    from sonde.steering.settings import (
        JudgedCoherence,
        PerplexityCap,
        ScreenSettings,
        SearchSettings,
    )
    from sonde.steering.task import SteeringTask
    from sonde.steering.units import check_coefficient, in_units, largest_coefficient

__all__ = [
    "Arm",
    "Best",
    "Candidate",
    "Cliff",
    "FrameRoom",
    "How",
    "JointVectors",
    "JudgedCoherence",
    "Judges",
    "PerplexityCap",
    "Projections",
    "ResponseSettings",
    "Responses",
    "ScreenSettings",
    "SearchSettings",
    "Session",
    "SteeringResults",
    "SteeringTask",
    "TableRow",
    "Transcript",
    "check_coefficient",
    "check_room",
    "evaluation_table",
    "in_units",
    "largest_coefficient",
    "monitor",
    "open_session",
    "probe_gate",
    "probe_judge",
    "random_control",
    "responses",
    "scan_frames",
    "screen",
    "search",
    "transcripts",
]

# Torch takes seconds to import, so a name is imported when it is first used. No module here has
# the name of a function (docs/decisions/0006).
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Arm": "candidates",
        "Best": "results",
        "Candidate": "candidates",
        "Cliff": "cliffs",
        "FrameRoom": "room",
        "How": "candidates",
        "JointVectors": "joint",
        "JudgedCoherence": "settings",
        "Judges": "scoring",
        "PerplexityCap": "settings",
        "Projections": "projections",
        "ResponseSettings": "responding",
        "Responses": "responding",
        "ScreenSettings": "settings",
        "SearchSettings": "settings",
        "Session": "answering",
        "SteeringResults": "results",
        "SteeringTask": "task",
        "TableRow": "evaluation",
        "Transcript": "monitoring",
        "check_coefficient": "units",
        "check_room": "room",
        "evaluation_table": "evaluation",
        "in_units": "units",
        "largest_coefficient": "units",
        "monitor": "monitoring",
        "open_session": "session",
        "probe_gate": "gates",
        "probe_judge": "judging_by_probe",
        "random_control": "controls",
        "responses": "responding",
        "scan_frames": "room",
        "screen": "screening",
        "search": "searching",
        "transcripts": "monitoring",
    },
)
