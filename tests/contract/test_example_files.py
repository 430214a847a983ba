"""Every example's file can be planned: its stages, claims and data are whole."""

from pathlib import Path

import pytest

from sonde.experiments.spec import read_specification

ROOT = Path(__file__).parents[2] / "examples"
FILES = sorted(ROOT.glob("*/*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_is_valid_and_its_files_are_there(path):
    spec = read_specification(path)
    for variant in spec.variants:
        assert variant.experiment.question
        for name, stage in variant.experiment.stages.items():
            assert not stage.problems(spec.base), name


@pytest.mark.parametrize("folder", sorted(path.parent for path in ROOT.glob("*/README.md")))
def test_an_example_names_its_files(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    for path in folder.glob("*.yaml"):
        assert path.name in text
