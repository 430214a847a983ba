"""Which vectors of a set go into a file: one a layer, and what there is where it is not clear."""

import pytest
from made_vectors import made

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.stats.interval import Interval
from sonde.vectors import VectorSet
from sonde.vectors.exports import Selection, chosen_for_export


def scored(value):
    return {"cohens_d": Interval(value, 0.1, 3.0, 40)}


@pytest.fixture
def vectors():
    return VectorSet(
        (
            made(layer=1, metrics=scored(0.5)),
            made(layer=2, metrics=scored(2.5)),
            made(layer=2, cleaning="top-1", metrics=scored(2.0)),
            made((0.0, 1.0, 0.0), layer=1, method="probe", metrics=scored(float("nan"))),
            made((1.0, 0.0, 0.0), layer=3, method="probe", metrics=scored(1.5)),
            made((0.0, 1.0, 0.0), layer=3, method="random", metrics={}),
        )
    )


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        ({"method": "probe", "layer": "best"}, (3,)),
        ({"method": "probe", "layer": "all"}, (1, 3)),
        ({"method": "probe", "layer": 1}, (1,)),
        ({"method": "mean_difference", "cleaning": "none", "layer": [1, 2]}, (1, 2)),
        ({"method": "random"}, (3,)),
        ({"method": "probe", "layer": 3, "position": "response[:5]"}, (3,)),
    ],
)
def test_what_is_clear_is_chosen(vectors, given, layers):
    found = chosen_for_export(vectors, Selection.model_validate(given))
    assert found.layers == layers
    assert found.methods == (given["method"],)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {},
            "6 vectors fit, several at a layer.*Say which: method mean_diff.*; cleaning none, top",
        ),
        ({"method": "mean_difference", "layer": 2}, "fit with method mean.*cleaning none, top-1"),
        ({"method": "probe"}, "at layers 1, 3; all of them .*best, or all. layer=best is layer 3"),
        (
            {"method": "probe", "layer": [1, 2]},
            "No vector lies at layer 2 with method probe, layer",
        ),
        ({"method": "lda"}, "No vector has method lda. There are mean_difference"),
        ({"method": "random", "layer": "best"}, "None of the 1 vectors was scored"),
        ({"method": "probe", "position": "response[:9]"}, "No vector has .*position response"),
    ],
)
def test_what_is_not_clear_says_what_there_is(vectors, given, words):
    with pytest.raises(SondeError, match="(?s)" + words):
        chosen_for_export(vectors, Selection.model_validate(given))


def test_vectors_of_several_sites_are_named():
    both = VectorSet((made(), made(hook=HookPoint(2, Site.MLP_OUT))))
    with pytest.raises(SondeError, match=r"lie at resid_post, mlp_out.*resid_post alone"):
        chosen_for_export(both, Selection(layer="all"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "probes"}, "'probes' is no method. Did you mean 'probe'"),
        ({"cleaning": "top-2"}, "'top-2' is no cleaning"),
        ({"position": "respons[:5]"}, "position"),
        ({"layer": "first"}, "layer"),
        ({"layers": 3}, "layers is not a key here. Did you mean 'layer'"),
    ],
)
def test_a_selection_that_is_none_is_named(given, words):
    with pytest.raises(SondeError, match=words):
        validated(Selection, given, where="`select`")
