"""What a search found, as vectors for a file: its best, its unit, and what a tool will not do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.unit.steering.made_answers import made_answers, made_results, steered_by
from tests.unit.vectors.made_vectors import made

from sonde.core.edits import Gate
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.experiments.exporting import export_table, of_search, of_vectors, write_export
from sonde.steering.arms import SteeredAt
from sonde.steering.settings import SearchSettings
from sonde.steering.used_gate import UsedGate
from sonde.vectors import VectorSet
from sonde.vectors.exports import Selection

ANY = Selection()
SEARCHED = [steered_by("probe", 1), steered_by("lda", 2), steered_by("random", 1)]


def vectors():
    return VectorSet(
        tuple(made(layer=layer, method=method) for method, layer in (("probe", 1), ("lda", 2)))
    )


def found(trait=(20, 25, 30, 60, 40, 50, 90, 90), surprise=1.0, **settings):
    """Arms: unsteered, prompt, probe at 0.5 and 1, LDA at both, random at both."""
    scores = np.array(trait)[:, None] + np.arange(8.0)
    answers = made_answers(scores, surprise=np.broadcast_to(surprise, 8))
    return made_results(answers, SEARCHED, settings=SearchSettings(**settings))


def test_the_best_vector_goes_out_at_its_coefficient():
    chosen = of_search(found(), vectors(), ANY)
    (one,) = chosen.vectors
    assert (one.method, one.layer, chosen.coefficient) == ("probe", 1, 1.0)
    assert chosen.notes[0].startswith(
        "At this coefficient, the best of 4, enthusiasm changed by +40.0 ["
    )
    assert "generated tokens alone; a tool that adds at every token does more" in chosen.notes[1]


def test_the_unit_is_the_searchs_own():
    other = VectorSet(tuple(one.with_typical_norm(3.0) for one in vectors()))
    (one,) = of_search(found(), other, ANY).vectors
    assert one.typical_norm == 10.0


def test_what_was_steered_together_goes_out_together(tmp_path):
    name = "probe@response[:5].mean@blocks.1,2.resid_post"
    place = SteeredAt(hook="blocks.2.resid_post", layer=2, typical_norm=20.0, massive_share=0.1)
    both = steered_by("probe", 1).model_copy(update={"name": name, "also": (place,)})
    scores = np.array([20, 25, 30, 60])[:, None] + np.arange(8.0)
    search = made_results(made_answers(scores), [both], settings=SearchSettings())
    there = VectorSet((made(method="probe"), made((0.0, 1.0, 0.0), layer=2, method="probe")))
    chosen = of_search(search, there, Selection(layer=[1, 2]))
    assert chosen.vectors.layers == (1, 2) and chosen.coefficient == 1.0
    exported = write_export(chosen, tmp_path / "v.gguf", to="gguf", unit="raw")
    assert [one.length for one in exported.directions] == pytest.approx([10, 20])
    with pytest.raises(SondeError, match="No vector with layer 1 was searched"):
        of_search(search, there, Selection(layer=1))


def test_a_selection_and_a_coefficient_come_before_what_is_best():
    chosen = of_search(found(), vectors(), Selection(method="lda"), 0.25)
    (one,) = chosen.vectors
    assert (one.method, chosen.coefficient) == ("lda", 0.25)
    assert not any("At this coefficient" in note for note in chosen.notes)
    assert of_search(found(), vectors(), Selection(layer=2)).vectors[0].method == "lda"


def test_how_the_search_steered_is_said():
    said = of_search(found(when="both"), vectors(), ANY).notes
    assert not any("tokens alone" in note for note in said)
    gate = Gate(HookPoint(1, Site.RESID_POST), torch.ones(3), 0.0, threshold=0.5)
    gated = replace(found(), gate=UsedGate(gate, 0.25))
    (note,) = [one for one in of_search(gated, vectors(), ANY).notes if "gate" in one]
    assert note.startswith("The search steered only where x") and "no gate" in note
    window = of_search(found(steps=(0, 5)), vectors(), ANY).notes[1]
    assert "generated tokens alone in the window [0, 5]" in window
    flat = of_search(found(trait=(20, 20, 21, 20, 20, 20, 20, 20)), vectors(), ANY).notes[0]
    assert flat.endswith("which may be none at all.") == (" [-" in flat or "[−" in flat)


@pytest.mark.parametrize(
    ("results", "selection", "words"),
    [
        (found(kind="clamp"), ANY, "made the edit 'clamp'; other tools add"),
        (
            found(),
            Selection(method="mean_difference"),
            "No vector with method mean_diff.*Were: pro",
        ),
        (found(), Selection(layer=7), "No vector with layer 7 was searched"),
        (found(), Selection(layer="best"), "A search chose its layers itself"),
        (
            found(),
            Selection(method="random"),
            "random@.* is not among the vectors: the search drew",
        ),
        (found(surprise=[1, 1, *[3] * 6]), ANY, "No coefficient of .* stays within the limit"),
    ],
)
def test_what_cannot_be_exported_is_named(results, selection, words):
    with pytest.raises(SondeError, match=words):
        of_search(results, vectors(), selection)


def test_beyond_the_limit_a_coefficient_of_ones_own_is_needed():
    beyond = found(surprise=[1, 1, *[3] * 6])
    assert of_search(beyond, vectors(), Selection(method="lda"), 0.1).coefficient == 0.1
    with pytest.raises(SondeError, match="Name one vector and a coefficient"):
        of_search(beyond, vectors(), ANY, 0.1)


def test_the_table_has_both_units(tmp_path):
    chosen = replace(of_vectors(vectors(), Selection(method="probe")), coefficient=-0.5)
    exported = write_export(chosen, tmp_path / "v.gguf", to="gguf", unit="raw")
    shown = export_table(exported, ("Mind this.",))
    assert shown["title"] == "v.gguf: a control vector of llama.cpp and repeng"
    (row,) = shown["rows"]
    assert row == ["1", "probe@response[:5].mean@blocks.1.resid_post", "−0.5", "10", "5"]
    assert "a scale of 1 adds -0.5 typical norms" in shown["note"]
    assert shown["note"].endswith("Mind this.")


def test_a_wrong_place_for_a_file_is_refused(tmp_path):
    chosen = of_vectors(vectors(), Selection(method="probe"))
    with pytest.raises(SondeError, match=r"does not end in \.safetensors.*Write .*v\.safetensors"):
        write_export(chosen, tmp_path / "v.gguf", to="steering-vectors", unit="raw")
    (tmp_path / "done.json").write_text("{}")
    for path in (tmp_path / "v.gguf", tmp_path / "deeper" / "v.gguf"):
        with pytest.raises(SondeError, match="lies in the folder of a finished result"):
            write_export(chosen, path, to="gguf", unit="raw")
    assert list(tmp_path.iterdir()) == [tmp_path / "done.json"]
