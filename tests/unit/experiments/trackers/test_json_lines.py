import json
import math

from sonde.experiments.trackers.json_lines import JsonLinesTracker, path_of


def lines(facts):
    return [json.loads(line) for line in path_of(facts).read_text().splitlines()]


def test_a_run_can_be_read_while_it_goes(facts):
    tracker = JsonLinesTracker()
    tracker.begin(facts)
    tracker.log({"acts/tokens": 100.0, "acts/loss": math.nan}, 100)
    begin, log = lines(facts)
    assert (begin["event"], begin["run"], begin["variant"]) == ("begin", 7, "layers5-ctx256")
    assert log["step"] == 100
    assert log["values"] == {"acts/tokens": 100.0, "acts/loss": None}  # JSON has no NaN
    tracker.finish({"truth/selected/auroc": 0.9, "x": -math.inf}, "done")
    assert lines(facts)[-1]["summary"] == {"truth/selected/auroc": 0.9, "x": None}
    assert lines(facts)[-1]["state"] == "done"


def test_another_ledger_s_run_of_the_same_number_is_kept(facts):
    for value in (1.0, 2.0):
        tracker = JsonLinesTracker()
        tracker.begin(facts)
        tracker.log({"a/b": value}, None)
        tracker.finish({}, "failed")
    logged = [line["values"]["a/b"] for line in lines(facts) if line["event"] == "log"]
    assert logged == [1.0, 2.0]
