from dataclasses import replace

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.cost import Prices
from sonde.experiments.engines.local import LocalEngine
from sonde.experiments.estimating import (
    FIXED_SECONDS,
    LOADED_A_SECOND,
    PROCESS_BYTES,
    Estimator,
)
from sonde.experiments.hardware import DEVICES
from sonde.experiments.metering import Metering
from sonde.experiments.sizes import sizes_of
from sonde.experiments.spec import read_specification
from sonde.experiments.stage import Estimate
from sonde.experiments.stages.extract import ExtractStage
from sonde.models.spec import ModelSpec

PRICES = Prices(cpu=0.5, gpus={"h100": 3.6}, as_of=None)
MODEL = ModelSpec(name="random:gemma-2-2b")
CPU = replace(DEVICES["h100"], name="a desk", gpus=(), watts=None)


def estimator(experiment, hardware=DEVICES["h100"]):
    return Estimator.of(read_specification(experiment).variants[0], hardware, PRICES)


def test_time_energy_and_money_by_hand(experiment):
    work = Estimate(flops=10 * DEVICES["h100"].flops, seconds=5, disk=7, basis="counted")
    found = estimator(experiment).expected(work, None, loads=False)
    seconds = FIXED_SECONDS + 15
    assert found.seconds == seconds
    assert found.dollars == pytest.approx(3.6 * seconds / 3600)
    assert found.joules == 700 * seconds
    assert (found.memory, found.disk, found.basis) == (0, 7, "counted")


def test_a_model_is_held_beside_the_work_and_loading_it_takes_time_and_memory(experiment):
    sizes = sizes_of(MODEL, "bfloat16")
    work = Estimate(memory=1000)
    kept = estimator(experiment).expected(work, MODEL, loads=False)
    assert kept.memory == sizes.weights + 1000
    loaded = estimator(experiment).expected(work, MODEL, loads=True)
    assert loaded.memory == max(sizes.peak_loading, sizes.weights + 1000)
    assert loaded.seconds - kept.seconds == pytest.approx(sizes.weights / LOADED_A_SECOND)


def test_on_a_cpu_the_process_itself_counts_and_energy_is_not_known(experiment):
    found = estimator(experiment, CPU).expected(Estimate(memory=1000), None, loads=False)
    assert found.memory == PROCESS_BYTES + 1000
    assert found.joules is None
    assert found.dollars == pytest.approx(0.5 * FIXED_SECONDS / 3600)


def test_a_gpu_without_a_price_has_no_money(experiment):
    two = replace(DEVICES["h100"], gpus=("h100", "Some Other GPU"))
    found = estimator(experiment, two).expected(Estimate(), None, loads=False)
    assert found.dollars is None
    assert found.seconds == FIXED_SECONDS


def test_what_could_not_be_counted_is_not_known(experiment):
    unknown = Estimate(unknown="Nobody counted.")
    found = estimator(experiment).expected(unknown, MODEL, loads=True)
    assert (found.seconds, found.memory, found.unknown) == (None, None, "Nobody counted.")
    absent = ModelSpec(name="lab/absent")
    found = estimator(experiment).expected(Estimate(), absent, loads=True)
    assert found.memory is None
    assert "'lab/absent'" in found.unknown


@pytest.mark.parametrize(
    ("error", "said"),
    [(SondeError("No file."), "No file."), (ZeroDivisionError("by zero"), "ZeroDivisionError")],
)
def test_an_estimate_that_fails_stops_nothing(experiment, monkeypatch, error, said):
    def failing(*_):
        raise error

    monkeypatch.setattr(ExtractStage, "estimate", failing)
    found = estimator(experiment).attempt("acts", loads=lambda model: True)
    assert found.seconds is None
    assert said in found.unknown


def test_metering_knows_whether_the_model_is_in_memory(experiment, tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (planned,) = read_specification(experiment, ["model=random:gemma-2-2b"]).variants
    metering, engine = Metering(), LocalEngine(print)
    cold = metering.expected("acts", planned, engine)
    monkeypatch.setattr(LocalEngine, "holds", lambda *_: True)
    warm = metering.expected("acts", planned, engine)
    assert cold.seconds > warm.seconds


def test_metering_reads_the_prices_at_once(tmp_path, monkeypatch):
    (tmp_path / "prices.yaml").write_text("cpus: 1\n")
    monkeypatch.setenv("SONDE_PRICES", str(tmp_path / "prices.yaml"))
    with pytest.raises(SondeError, match="cpus"):
        Metering()
