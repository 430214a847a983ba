from dataclasses import replace

import pytest

from sonde.experiments.cost.cost import (
    Cost,
    Expected,
    took_in_words,
    total_cost,
    total_expected,
)

ONE = Cost(60.0, "cpu", 100.0, 100.0, 1_900_000_000, disk=130_000_000, joules=7200.0,
           energy_of="CPU", dollars=0.5)  # fmt: skip
PLANNED = Expected(55.0, 2_100_000_000, 120_000_000, dollars=0.4)


def test_times_and_sizes_are_added_and_peaks_are_not():
    total = total_cost([ONE, replace(ONE, memory=10, joules=800.0, dollars=1.0)], 150.0)
    assert (total.seconds, total.cpu_seconds, total.memory) == (150.0, 200.0, ONE.memory)
    assert (total.joules, total.dollars, total.disk) == (8000.0, 1.5, 260_000_000)


def test_what_one_part_does_not_report_is_not_reported_of_the_whole():
    total = total_cost([ONE, replace(ONE, joules=None, dollars=None)], 1.0)
    assert total.joules is None
    assert total.dollars is None
    assert total_cost([], 1.0) is None


def test_device_time_of_a_gpu_is_not_mixed_with_that_of_a_cpu():
    on_gpu = replace(ONE, device="h100", device_seconds=60.0, device_memory={"cuda:0": 5})
    total = total_cost([ONE, on_gpu, replace(on_gpu, device_memory={"cuda:0": 9})], 180.0)
    assert (total.device, total.device_seconds) == ("h100", 120.0)
    assert total.device_memory == {"cuda:0": 9}


def test_plans_are_added_up():
    total = total_expected([PLANNED, replace(PLANNED, memory=5)])
    assert (total.seconds, total.memory, total.disk) == (110.0, 2_100_000_000, 240_000_000)
    unknown = total_expected([PLANNED, Expected(unknown="The file is not there.")])
    assert (unknown.seconds, unknown.memory) == (None, None)
    assert unknown.unknown == "The file is not there."


@pytest.mark.parametrize(
    ("changes", "planned", "line"),
    [
        (
            {},
            PLANNED,
            "1 min 0 s (planned 55.0 s), 1.9 GB of memory at the peak (planned 2.1 GB), 130.0 MB "
            "on disk (planned 120.0 MB), 2.0 Wh (CPU), $0.50 (planned $0.40)",
        ),
        (
            {"joules": None, "energy_of": "", "dollars": 0.0},
            Expected(disk=0),  # little, and not counted
            "1 min 0 s, 1.9 GB of memory at the peak, 130.0 MB on disk, energy not reported",
        ),
        (
            {"device_memory": {"cuda:0": 3_000, "cuda:1": 5_000}, "dollars": None},
            Expected(memory=4_000, joules=7200.0),
            "1 min 0 s, 5.0 kB of GPU memory at the peak (planned 4.0 kB), 130.0 MB on disk, "
            "2.0 Wh (CPU, planned at most 2.0 Wh), price not known",
        ),
    ],
)
def test_one_line_says_what_was_beside_what_was_planned(changes, planned, line):
    cost = replace(ONE, **changes)
    assert took_in_words(cost.to_json(), planned.to_json()) == line
