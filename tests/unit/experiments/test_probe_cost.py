"""What fitting probes costs, by hand."""

import pytest

from sonde.experiments.hardware import DEVICES
from sonde.experiments.planning import plan
from sonde.experiments.probe_cost import (
    FACTORS,
    HOST_FLOPS,
    LARGE_FLOPS,
    files_bytes,
    fit_flops,
    fit_memory,
    host_flops,
    sweep_flops,
)
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.probes.settings import (
    SETTINGS,
    AttentionSettings,
    LdaSettings,
    LogisticSettings,
    MeanDifferenceSettings,
    MlpSettings,
    PcaSettings,
    RidgeSettings,
)

SHARED = {"shuffles": 1, "directions": 3}


def test_operations_of_a_split_by_hand():
    reading = 4 * 10 * 6 * (2 + 3)
    assert fit_flops(10, 6, MeanDifferenceSettings(**SHARED)) == reading
    # More rows than coordinates: two factors of 6^3 / 3, 2 x 36 for each of 4 columns.
    ridge = RidgeSettings(penalties=(1, 10), **SHARED)
    assert fit_flops(10, 6, ridge) == pytest.approx(reading + 2 * 6**3 / 3 + 2 * 36 * 4)
    # Fewer: half a kernel of 4 x 4 besides.
    assert fit_flops(4, 6, ridge) == pytest.approx(
        4 * 4 * 6 * 5 + 16 * 6 + 2 * 4**3 / 3 + 2 * 16 * 4
    )
    lda = LdaSettings(**SHARED)
    assert fit_flops(10, 6, lda) == pytest.approx(reading + 2 * 6**3 / 3 + 2 * 36 * 4)
    assert fit_flops(10, 6, PcaSettings(**SHARED)) == pytest.approx(reading + 200 * 2 * 36)
    logistic = LogisticSettings(penalties=(1, 10), **SHARED)
    newton = 2 * 10 * 6 * 6 + 20 * 6**3 + 60 * 4 * 10 * 6 * 4
    assert fit_flops(10, 6, logistic) == pytest.approx(reading + newton)
    mlp = MlpSettings(penalties=(1, 10), width=8, epochs=3, **SHARED)
    assert fit_flops(10, 6, mlp) == pytest.approx(reading + 6 * 10 * 6 * 8 * 4 * (3 + 0.75 * 3))
    # Where more epochs are allowed: 30 until the best, 10 more on three quarters of the rows.
    mlp = MlpSettings(penalties=(1, 10), width=8, epochs=900, patience=10, **SHARED)
    assert fit_flops(10, 6, mlp) == pytest.approx(reading + 6 * 10 * 6 * 8 * 4 * (30 + 0.75 * 40))
    heads = AttentionSettings(penalties=(1, 10), epochs=3, heads=3, **SHARED)
    thin = 2 * 2 * 3  # queries and values of three heads, at half the speed
    assert fit_flops(10, 6, heads) == pytest.approx(reading + 6 * 60 * thin * 4 * 5.25)


def test_scatters_are_formed_once_and_splits_see_part_of_the_rows():
    ridge = RidgeSettings(folds=5, penalties=(1, 10), **SHARED)
    assert sweep_flops(30, 6, ridge) == 30 * 36 + 15 * fit_flops(20, 6, ridge)
    assert sweep_flops(30, 60, ridge) == 15 * fit_flops(20, 60, ridge)


def test_large_matrices_are_worked_at_full_speed():
    assert host_flops(360, 4608) == host_flops(5000, 576) == HOST_FLOPS
    assert host_flops(3000, 4608) == LARGE_FLOPS


def test_memory_of_many_wide_layers_is_that_of_one_and_its_scatters():
    """46 layers would take 39 GB of scatters; one at a time takes 0.85 GB."""
    ridge = RidgeSettings(folds=5, penalties=(1, 10, 100), shuffles=0)
    few, many = (fit_memory(30_000, 4_608, layers, ridge) for layers in (1, 46))
    assert few == many
    scatters = 5 * 4_608**2 * 8
    rows = 30_000 * 4_608 * 8
    said = 30_000 * 3 * 8 * 6
    matrices = 3 * 8 * 4_608**2 + 3 * 4 * 4_608**2
    assert many == 2 * rows + scatters + rows + matrices + said
    assert many < 6e9
    assert FACTORS > 3 * 4 * 4_608**2


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_kind_has_a_cost_that_grows_with_the_rows(kind):
    settings = SETTINGS[kind]()
    assert 0 < sweep_flops(100, 50, settings) < sweep_flops(1000, 50, settings)
    assert 0 < fit_memory(100, 50, 2, settings) < fit_memory(1000, 50, 2, settings)


def test_bytes_of_the_files_by_hand():
    method = MeanDifferenceSettings(shuffles=2, directions=1, baseline=True)
    probes = 3 * (8 * 32 * 3 + 2400)
    # Of each row: what it is, the scores of 3 layers, the choice and 2 baselines, and 3 controls.
    scores = 100 * (13 + 8 * 6 + 4 * 3 * 4)
    assert files_bytes(100, 32, 3, method) == probes + scores + 8000 + 3 * 5000
    alone = MeanDifferenceSettings(shuffles=0, directions=0, baseline=False)
    assert files_bytes(100, 32, 3, alone) == probes + 100 * (13 + 8 * 4) + 23_000
    wide = MlpSettings(width=16, shuffles=0, directions=0, baseline=False)
    assert files_bytes(100, 32, 3, wide) - files_bytes(100, 32, 3, alone) == 3 * 8 * 32 * 15


def test_the_files_of_real_sweeps_are_foreseen_within_a_factor_of_two(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    probe = "kind: probe, activations: acts, labels: sentences"
    few = "penalties: [1], resamples: 20, baseline: false, shuffles: 1, directions: 1"
    methods = (
        "model={name: random:llama, check: false}",
        "stages.truth.method={kind: ridge, penalties: [1, 10], resamples: 20}",
        f"stages.few={{{probe}, method: {{kind: logistic, {few}}}}}",
        f"stages.network={{{probe}, method: {{kind: mlp, folds: 4, width: 16, epochs: 3, {few}}}}}",
    )
    spec = read_specification(experiment, methods)
    (planned,) = plan(spec, tmp_path / "runs", DEVICES["h100"])
    expected = {stage.name: stage.estimate.disk for stage in planned.stages}
    (report,) = run(spec, Options(out=tmp_path / "runs", say=lambda _: None, progress=False))
    for name in ("truth", "few", "network"):
        files = report.finished[name].folder.rglob("*")
        real = sum(one.stat().st_size for one in files if one.is_file())
        assert real / 2 < expected[name] < 2 * real
