"""A small experiment on disk: sentences in pairs, a random model, a probe."""

from pathlib import Path

import pytest

WORDS = ("good", "kind", "bright"), ("bad", "cruel", "dull")

EXPERIMENT = """\
name: small
question: Does it work?
model: random:llama
stages:
  sentences:
    kind: data
    path: sentences.csv
  acts:
    kind: extract
    data: sentences
    layers: [0, 1]
    template: none
  truth:
    kind: probe
    activations: acts
    labels: sentences
    method: {kind: mean_difference, folds: 3, resamples: 20}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Return the path of an experiment file with its data beside it."""
    rows = ["id,text,label,pair"]
    for number in range(24):
        side = number % 2
        word = WORDS[side][number % 3]
        rows.append(f"i{number},Number {number} was {word} today,{'ab'[side]},p{number // 2}")
    (tmp_path / "sentences.csv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path
