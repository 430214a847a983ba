import threading

from sonde.experiments.trackers.courier import FAILURES, Courier


class Failing:
    """A tracker that fails at some calls, counted over all its methods from 0."""

    def __init__(self, at=()):
        self.at, self.calls, self.taken = set(at), 0, []

    def _take(self, what):
        number = self.calls
        self.calls += 1
        if number in self.at:
            raise ConnectionError(f"no network at {what}\nand more")
        self.taken.append(what)

    def begin(self, facts):
        self._take("begin")

    def log(self, values, step):
        self._take(dict(values))

    def finish(self, summary, state):
        self._take(state)


def carried(tracker, facts, logs=4):
    said = []
    courier = Courier("wandb", tracker, said.append)
    courier.begin(facts)
    for number in range(logs):
        courier.log({"a/b": number}, number)
    courier.finish({}, "done")
    return said


def test_everything_arrives_in_order(facts):
    tracker = Failing()
    assert carried(tracker, facts) == []
    assert tracker.taken == ["begin", *({"a/b": number} for number in range(4)), "done"]


def test_a_failure_is_said_once_and_the_rest_still_arrives(facts):
    tracker = Failing(at=(2, 4))
    said = carried(tracker, facts)
    assert len(said) == 1
    assert "wandb failed (ConnectionError: no network at {'a/b': 1})" in said[0]
    assert tracker.taken == ["begin", {"a/b": 0}, {"a/b": 2}, "done"]


def test_a_tracker_that_keeps_failing_is_left_alone(facts):
    tracker = Failing(at=range(1, 100))
    assert len(carried(tracker, facts, logs=50)) == 1
    assert tracker.calls == 1 + FAILURES


def test_nothing_is_logged_into_what_could_not_begin(facts):
    tracker = Failing(at=(0,))
    assert "no network at begin" in carried(tracker, facts)[0]
    assert tracker.calls == 1


def test_a_tracker_that_hangs_is_left_behind(facts):
    never = threading.Event()

    class Hanging(Failing):
        def log(self, values, step):
            never.wait()

    said = []
    courier = Courier("mlflow", Hanging(), said.append, patience=0.05)
    courier.begin(facts)
    courier.log({"a/b": 1.0}, 0)  # returns at once
    courier.finish({}, "done")
    never.set()
    assert said[0].startswith("mlflow has not taken all numbers")
