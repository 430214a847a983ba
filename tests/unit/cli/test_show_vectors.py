"""``sonde show`` and ``sonde verify`` of vectors, of sets of them, and of what a search found."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.planted import planted_classes
from tests.unit.steering.made_answers import made_answers, made_results, steered_by
from tests.unit.vectors.made_vectors import made

from sonde.experiments.results import identify, verify
from sonde.probes.eraser import fit_erasers
from sonde.stats.interval import Interval
from sonde.vectors import VectorSet


def spread(value):
    return {"accuracy": Interval(0.9, 0.8, 1.0, 40), "cohens_d": Interval(value, 0.1, 3.0, 40)}


@pytest.fixture
def search_folder(tmp_path):
    trait = np.array([20, 45, 25, 60])[:, None] + np.arange(8.0)
    answers = made_answers(trait, surprise=[1.0, 1.1, 1.0, 1.2])
    found = made_results(answers, [steered_by("probe", 1)])
    return found.save(tmp_path / "search")


def test_a_vectors_file_tells_all_of_it(tmp_path, shown):
    vector = made(cleaning="top-1", metrics=spread(1.5), note="made by hand")
    path = vector.save(tmp_path / "one.safetensors")
    assert identify(path).kind == "vector"
    said = shown(path)
    for words in (
        "mean_difference/top-1 vector of blocks.1.resid_post at response[:5].mean",
        "enthusiasm",
        "'negative' to 'positive'",
        "3.5, scaled to 1",
        "a coefficient of 1 adds 10, the typical norm",
        "64.0% of its squared length",
        "cohens d",
        "made by hand",
        "tiny",
        "f00d",
        "80",
        "Vector.load(",
    ):
        assert words in said
    bare = made(typical_norm=None, massive=(), metrics={}).save(tmp_path / "bare.safetensors")
    said = shown(bare)
    assert "not known: the typical norm was not measured" in said
    assert "none known" in said and "It was not scored." in said


def test_a_set_shows_the_best_layer_of_each_kind(tmp_path, shown):
    vectors = VectorSet(
        (
            made(layer=1, metrics=spread(0.5)),
            made(layer=2, metrics=spread(2.5)),
            made((1.0, 0.0, 0.0), layer=1, method="probe", metrics=spread(1.25)),
            made((0.0, 1.0, 0.0), layer=2, method="random", metrics={}),
        ),
        notes=("Five responses are short.",),
    )
    path = vectors.save(tmp_path / "set.safetensors")
    assert identify(path).kind == "vectors"
    said = shown(path)
    lines = {line.split()[0]: line.split() for line in said.splitlines() if "response[" in line}
    assert lines["mean_difference"][2] == "2" and "2.500" in lines["mean_difference"]
    assert lines["probe"][2] == "1"
    assert "not scored" in said and "Five responses are short." in said
    assert "layer 1 10, layer 2 10" in said


def test_a_search_shows_its_table_and_its_cliffs(search_folder, shown):
    for path in (search_folder, search_folder / "steering.json"):
        assert identify(path).kind == "steering"
    said = shown(search_folder)
    for words in (
        "towards enthusiasm",
        "unsteered",
        "plain prompt",
        "perplexity of at most 1.5 times",
        "coherent up to",
        "Caution: Read this.",
        "answers.parquet",
    ):
        assert words in said


def test_what_was_altered_is_named(tmp_path, search_folder):
    acts, label, _ = planted_classes()
    eraser = fit_erasers(acts, label)[1].save(tmp_path / "eraser.safetensors")
    one = made().save(tmp_path / "one.safetensors")
    several = VectorSet((made(), made(layer=2))).save(tmp_path / "set.safetensors")
    for path in (eraser, one, several, search_folder):
        assert verify(path) == []
    for path, words in ((one, "has length"), (several, "has length")):
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        save_file({name: 2 * it for name, it in load_file(path).items()}, path, metadata=header)
        (problem,) = verify(path)
        assert words in problem
    about = json.loads((search_folder / "steering.json").read_text())
    about["arms"] = about["arms"][:-1]
    (search_folder / "steering.json").write_text(json.dumps(about))
    (problem,) = verify(search_folder)
    assert "answers, and 3 arms" in problem


def test_a_file_that_is_nothing_is_said_to_be_no_probe(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no header")
    assert identify(path).kind == "probe"
    assert "not a whole safetensors file" in verify(path)[0]
