"""Facts: what estimates count, by hand."""

import pytest

from sonde.activations.settings import ExtractSettings
from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.experiments.facts import Facts, reach, rows_of
from sonde.experiments.probe_cost import HOST_FLOPS, fit_memory, sweep_flops
from sonde.experiments.sizes import sizes_of
from sonde.experiments.spec import read_specification


def facts(path, *overrides):
    (planned,) = read_specification(path, overrides).variants
    return Facts(planned, "float32")


@pytest.mark.parametrize(
    ("hooks", "layers", "depth", "count"),
    [
        ("resid_post", "all", 12, 12),
        ("resid_post", [0, 5], 6, 2),
        ("resid_post", -1, 12, 1),
        (("resid_post", "mlp_out"), [3], 4, 2),
        ("blocks.7.attn_out", "all", 8, 1),
        ("model.layers.3.mlp", "all", 12, 1),  # only the loaded model can say which block
        (("resid_post", "blocks.9.mlp_out"), [2], 10, 2),
    ],
)
def test_how_deep_a_pass_must_run(hooks, layers, depth, count):
    settings = ExtractSettings.model_validate({"hooks": hooks, "layers": layers})
    assert reach(settings, 12) == (depth, count)


@pytest.mark.parametrize("hooks", ["resid_post", "blocks.12.resid_post"])
def test_a_layer_that_the_model_does_not_have_is_refused(hooks):
    settings = ExtractSettings.model_validate({"hooks": hooks, "layers": 12})
    with pytest.raises(SondeError, match="layer 12 is outside the model, which has 12 blocks"):
        reach(settings, 12)


@pytest.mark.parametrize(
    ("position", "rows"),
    [
        ("prompt[-1]", 3),
        ("user.mean", 3),
        ("all", 60),
        ("prompt.each", 60),
        ("eot.each", 6),
        ("user.each", 20),
    ],
)
def test_rows_of_a_position(position, rows):
    assert rows_of(parse_position(position), (10, 20, 30)) == rows


def test_an_extraction_by_hand(experiment):
    known = facts(experiment)
    stage = known.planned.experiment.stages["acts"]
    found = stage.estimate(known)
    sizes = sizes_of(known.planned.experiment.model, "float32")
    # The byte tokenizer gives one token a character, and template none adds nothing.
    lengths = [len(example.prompt) for example in known.examples("sentences")]
    assert f"{sum(lengths)} tokens (counted) through 2 blocks" in found.basis
    by_hand = sum(
        2 * (2 * sizes.block_parameters * length + 2 * length**2 * sizes.d_model)
        for length in lengths
    )
    assert found.flops == by_hand
    assert found.disk == 24 * 2 * sizes.d_model * 4
    assert found.traffic == 2 * sizes.block_bytes  # one batch, two blocks
    assert found.memory == sum(lengths) * (sizes.per_token + 2 * sizes.d_model * 4)


def test_moments_keep_nothing_and_massive_dimensions_may_read_twice(experiment):
    more = (
        "stages.means={kind: moments, data: sentences, layers: [0]}",
        "stages.once={kind: massive_dimensions, data: sentences, layers: [0, 1]}",
        "stages.twice={kind: massive_dimensions, data: sentences, layers: [0, 1], keep_bytes: 0}",
    )
    known = facts(experiment, *more)
    stages = known.planned.experiment.stages
    assert stages["means"].estimate(known).disk == 0
    once, twice = (stages[name].estimate(known) for name in ("once", "twice"))
    assert (once.disk, twice.disk) == (0, 0)
    assert twice.flops == 2 * once.flops


def method_of(known):
    return known.planned.experiment.stages["truth"].method


def test_a_probe_counts_its_splits_and_works_on_the_host(experiment):
    known = facts(experiment, "truth.method={kind: mean_difference, folds: 3, baseline: false}")
    few = known.planned.experiment.stages["truth"].estimate(known)
    more = facts(experiment, "truth.method={kind: mean_difference, folds: 6, baseline: false}")
    many = more.planned.experiment.stages["truth"].estimate(more)
    d_model = sizes_of(known.planned.experiment.model, "float32").d_model
    method = method_of(known)
    fits = [sweep_flops(24, d_model, one) for one in (method, method_of(more))]
    assert many.seconds - few.seconds == pytest.approx(2 * (fits[1] - fits[0]) / HOST_FLOPS)
    assert many.memory == fit_memory(24, d_model, 2, method_of(more))
    assert few.flops == few.traffic == 0


def test_the_rows_of_imported_activations_are_not_known(experiment, tmp_path):
    (tmp_path / "old.npz").write_bytes(b"")
    known = facts(experiment, "stages.old={kind: import, path: old.npz}", "truth.activations=old")
    found = known.planned.experiment.stages["truth"].estimate(known)
    assert "old is imported" in found.unknown


def test_tokens_are_counted_once_for_all_variants(experiment, tmp_path):
    spec = read_specification(experiment, ["sweep={seed: [0, 1]}"])
    first = Facts(spec.variants[0], "float32")
    before = spec.variants[0].experiment.stages["acts"].estimate(first)
    (tmp_path / "sentences.csv").unlink()
    second = first.of_variant(spec.variants[1])
    assert spec.variants[1].experiment.stages["acts"].estimate(second) == before
