import pytest

from sonde.experiments.cost.energy import Meter, counters


def zone(root, name, *, of="package-0", joules=0.0, most=1000.0):
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{of}\n")
    (folder / "max_energy_range_uj").write_text(f"{int(most * 1e6)}\n")
    count(folder, joules)
    return folder


def count(folder, joules):
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")


def test_packages_are_added_up_and_their_parts_are_not(tmp_path):
    one = zone(tmp_path, "intel-rapl:0", joules=10)
    two = zone(tmp_path, "intel-rapl:1", of="package-1", joules=100)
    zone(tmp_path, "intel-rapl:0:0", of="core")
    zone(tmp_path, "intel-rapl:2", of="psys")
    meter = Meter(counters(tmp_path))
    count(one, 13)
    count(two, 104.5)
    assert meter.joules == pytest.approx(3 + 4.5)
    assert meter.of == "CPU"


def test_a_counter_that_started_again_goes_on(tmp_path):
    one = zone(tmp_path, "intel-rapl:0", joules=990, most=1000)
    meter = Meter(counters(tmp_path))
    count(one, 998)
    meter.sample()
    count(one, 5)  # 2 joules up to the end of its range, and 5 more
    assert meter.joules == pytest.approx(8 + 7)


def test_without_a_counter_there_is_no_number(tmp_path):
    meter = Meter(counters(tmp_path))
    assert meter.joules is None
    assert meter.of == ""


def test_a_counter_that_cannot_be_read_is_none(tmp_path):
    file = zone(tmp_path, "intel-rapl:0") / "energy_uj"
    file.unlink()
    file.mkdir()  # as unreadable as a file that only the administrator may read
    assert counters(tmp_path) == ()


def test_a_counter_that_vanishes_gives_no_number(tmp_path):
    one = zone(tmp_path, "intel-rapl:0", joules=1)
    meter = Meter(counters(tmp_path))
    (one / "energy_uj").unlink()
    assert meter.joules is None
