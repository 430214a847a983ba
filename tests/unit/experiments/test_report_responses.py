"""The table of what became of responses: by side and reason, as the files say."""

import json

from sonde.experiments.stage import Finished
from sonde.experiments.stages.report_responses import responses_tables
from sonde.experiments.stages.responses import ResponsesStage


def test_responses_are_counted_by_side_and_reason(tmp_path):
    left = [("positive", "wrong side")] * 2 + [("negative", "wrong side"), ("negative", "empty")]
    rows = [{"side": side, "reason": reason, "id": str(n)} for n, (side, reason) in enumerate(left)]
    (tmp_path / "left_out.json").write_text(json.dumps(rows))
    summary = {
        "written": {"negative": 4, "positive": 5},  # as JSON sorts them
        "labels": {"positive": 3, "negative": 2},
        "skipped": {"wrong side": 3, "empty": 1},
        "vetted_by": "rule",
        "threshold": 50.0,
    }
    stage = ResponsesStage(trait="lively")
    finished = Finished("answers", stage, tmp_path, "key", summary)
    ((name, table),) = responses_tables({"answers": finished})
    assert name == "answers" and table.title == "Responses: lively"
    assert table.columns == ("Side", "Responses", "Kept", "Wrong side", "Empty")
    assert table.rows == (("positive", 5, 3, 2, 0), ("negative", 4, 2, 1, 1))
    assert "right side of 50 of 100" in table.note and "stage answers" in table.note


def test_without_a_judge_that_is_said(tmp_path):
    (tmp_path / "left_out.json").write_text("[]")
    summary = {
        "written": {"positive": 1, "negative": 1},
        "labels": {"positive": 1, "negative": 1},
        "skipped": {},
        "vetted_by": "",
        "threshold": None,
    }
    finished = Finished("answers", ResponsesStage(trait="lively"), tmp_path, "key", summary)
    ((_, table),) = responses_tables({"answers": finished})
    assert "form alone" in table.note and table.rows[0] == ("positive", 1, 1)
