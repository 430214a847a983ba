import math

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sonde.experiments.trackers.settings import TensorboardSettings
from sonde.experiments.trackers.tensorboard import TensorboardTracker


def test_its_own_reader_finds_every_number(facts):
    tracker = TensorboardTracker(TensorboardSettings())
    tracker.begin(facts)
    for layer, value in enumerate((0.5, 0.75, math.nan)):
        tracker.log({"truth/auroc": value}, layer)
    tracker.log({"acts/rows": 24.0}, None)
    tracker.finish({"truth/selected/auroc": 0.7}, "done")

    folder = facts.folder / "tensorboard" / "probe" / "probe-layers5-ctx256-gemma-3-270m-7"
    read = EventAccumulator(str(folder)).Reload()
    curve = read.Scalars("truth/auroc")
    assert [point.step for point in curve] == [0, 1, 2]
    assert [point.value for point in curve[:2]] == [0.5, 0.75]
    assert math.isnan(curve[2].value)
    assert [(point.step, point.value) for point in read.Scalars("acts/rows")] == [(0, 24.0)]
    assert abs(read.Scalars("summary/truth/selected/auroc")[0].value - 0.7) < 1e-6
    assert {"question/text_summary", "experiment/text_summary"} <= set(read.Tags()["tensors"])


def test_the_group_and_the_folder_can_be_chosen(facts, tmp_path):
    settings = TensorboardSettings(folder=str(tmp_path / "tb"), group="layers", name="{variant}")
    tracker = TensorboardTracker(settings)
    tracker.begin(facts)
    tracker.finish({}, "done")
    assert list((tmp_path / "tb" / "layers" / "layers5-ctx256-7").glob("events.*"))
