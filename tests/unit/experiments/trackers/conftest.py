"""What trackers are told of a run, for all tests of trackers."""

import pytest

from sonde.experiments.trackers import RunFacts


@pytest.fixture
def facts(tmp_path) -> RunFacts:
    """The facts of one run of a layer sweep."""
    return RunFacts(
        run=7,
        experiment="probe",
        variant="layers5-ctx256",
        model="gemma-3-270m",
        folder=tmp_path / "metrics",
        question="Will the next token be ' the'?",
        purpose="exploratory",
        config={"seed": 0, "stages": {"acts": {"positions": "prompt[-1]", "layers": [5]}}},
    )
