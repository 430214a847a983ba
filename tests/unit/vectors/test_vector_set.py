"""Sets of vectors: selecting, cosines, and their file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_vectors import made

from sonde.core.errors import SondeError
from sonde.vectors import HeldOut, VectorSet, cosine_matrix

WINDOWS = ("response[:5].mean", "response[:10].mean")


def small_set():
    turns = {"mean_difference": (1.0, 0.0, 0.0), "probe": (0.6, 0.8, 0.0)}
    vectors = tuple(
        made(direction, layer, method=method, position=window)
        for window in WINDOWS
        for layer in (0, 2)
        for method, direction in turns.items()
    )
    said = {one.name: np.array([-1.0, 2.0, 0.5]) for one in vectors if one.layer == 0}
    held = {
        window: HeldOut(
            np.array(["a", "b", "c"]), np.array(["g", "g", "h"]), np.array([0.0, 1.0, 0.0]), said
        )
        for window in WINDOWS
    }
    return VectorSet(vectors, held, ("one note",))


def test_selecting_keeps_what_matches():
    vectors = small_set()
    assert len(vectors) == 8
    assert len(vectors.select("probe")) == 4
    assert len(vectors.select(method=["probe", "mean_difference"], layer=2)) == 4
    assert len(vectors.select(position="response[:5]", hook="blocks.0.resid_post")) == 2
    assert vectors.layers == (0, 2)
    assert vectors.methods == ("mean_difference", "probe")
    assert vectors.positions == WINDOWS
    assert vectors[0] is vectors[vectors.names[0]]


def test_what_is_not_there_is_named():
    with pytest.raises(SondeError, match="No vector has layer 1"):
        small_set().select(layer=1)
    with pytest.raises(SondeError, match="There is no vector 'probe@nowhere'"):
        small_set()["probe@nowhere"]
    with pytest.raises(SondeError, match="Two vectors of a set are named mean_difference@"):
        VectorSet((made(), made()))


def test_cosines_of_two_methods_at_every_place_worked_by_hand():
    found = small_set().cosines("mean_difference", "probe")
    assert found.values == pytest.approx([0.6] * 4)
    assert str(found) == "mean_difference and probe: mean 0.600, from 0.600 to 0.600"
    with pytest.raises(SondeError, match=r"no vector 'prob'. Did you mean 'probe'"):
        small_set().cosines("prob", "mean_difference")


@given(seed=st.integers(0, 100))
def test_a_cosine_matrix_is_symmetric_with_ones(seed):
    drawn = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed))
    vectors = [made((row / row.norm()).tolist(), at, massive=()) for at, row in enumerate(drawn)]
    matrix = cosine_matrix(vectors, vectors)
    assert np.allclose(matrix, matrix.T)
    assert np.allclose(np.diag(matrix), 1)
    assert np.abs(matrix).max() <= 1


def test_widths_that_differ_have_no_cosine():
    vectors = [made(), made((1.0, 0.0), layer=2, massive=())]
    assert np.isnan(cosine_matrix(vectors, vectors)[0, 1])
    with pytest.raises(SondeError, match="different widths"):
        _ = VectorSet(tuple(vectors)).directions


def test_held_out_scores_are_those_of_a_probe_of_the_same_rows():
    scores = small_set().scores(0)
    assert scores.value == pytest.approx(2 / 3)
    assert scores.cross_validated
    with pytest.raises(SondeError, match="has no held-out scores"):
        small_set().scores(small_set().select(layer=2).names[0])


def test_the_file_gives_the_set_back(tmp_path):
    wide = made((0.0, 1.0), layer=1, method="random", massive=())
    vectors = small_set().joined(VectorSet((wide,), {}, ("another",)))
    path = vectors.save(tmp_path / "set.safetensors")
    again = VectorSet.load(path)
    assert again.names == vectors.names
    assert all(torch.equal(a.direction, b.direction) for a, b in zip(again, vectors, strict=True))
    assert again.notes == ("one note", "another")
    assert np.array_equal(again.scores(1).predicted, vectors.scores(1).predicted)
    assert again.save(tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_vector_is_not_a_set(tmp_path):
    path = made().save(tmp_path / "one.safetensors")
    with pytest.raises(SondeError, match="is not a set of vectors that sonde wrote, but a vector"):
        VectorSet.load(path)
