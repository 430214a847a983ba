"""What a plan says of vectors by gradient, which run the model again and again."""

import pytest

from sonde.experiments.facts import Facts
from sonde.experiments.spec import read_specification

EXPERIMENT = """\
name: climb
model: {name: "random:llama", check: false}
stages:
  answers: {kind: data, path: enthusiasm}
  read: {kind: extract, data: answers, layers: [0, 1], positions: "prompt[-1]"}
  vectors:
    kind: vectors
    activations: read
    labels: answers
    methods: [mean_difference, gradient]
    gradient: {examples: 3, steps: 2}
"""


def planned(path, *overrides):
    (variant,) = read_specification(path, overrides).variants
    return variant.experiment.stages["vectors"].estimate(Facts(variant, "float32"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "climb.yaml"
    path.write_text(EXPERIMENT)
    return path


def test_passes_forwards_and_backwards_are_counted(file):
    found = planned(file)
    assert "6 responses forwards and backwards, 5 times" in found.basis  # once, 2 steps a layer
    once = planned(file, "vectors.gradient.steps=0")
    assert found.flops == pytest.approx(5 * once.flops)
    assert found.tokens == 5 * once.tokens > 0
    assert planned(file, "vectors.gradient.layers=[1]").flops == pytest.approx(3 * once.flops)
    assert planned(file, "vectors.methods=[mean_difference]").flops == 0
