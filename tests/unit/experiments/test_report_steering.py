"""What a page says of vectors beyond one stage: other models, other blocks, what to mind."""

from pathlib import Path

import pytest
from tests.planted import ORIGIN
from tests.unit.vectors.made_vectors import made

from sonde.experiments.stage import Finished
from sonde.experiments.stages.report_steering import between_models, of_vectors, steering_notices
from sonde.experiments.stages.vectors import VectorsStage
from sonde.stats.interval import Interval
from sonde.vectors import VectorSet

OTHER = ORIGIN.model_copy(update={"model": "other", "model_fingerprint": "beef" * 4})


def finished(name, *vectors, **summary):
    stage = VectorsStage(activations="acts", labels="answers")
    table = {"notes": [], **summary}
    return Finished(name, stage, Path(), "key", table, held=VectorSet(tuple(vectors)))


def scored(layer, value, **changes):
    return made(
        layer=layer, metrics={"cohens_d": Interval(value, value - 1, value + 1, 40)}, **changes
    )


def test_vectors_of_two_models_are_compared_where_the_first_separates_best():
    base = finished("base", scored(1, 2.0), scored(3, 5.0))
    tuned = finished("tuned", made(origin=OTHER), made(layer=3, origin=OTHER))
    ((name, section),) = between_models({"base": base, "tuned": tuned})
    assert name == "base" and section.place.startswith("block 3,")
    assert section.cosines[0][1] == pytest.approx(1)


def test_two_sets_of_one_model_are_not_compared_as_models():
    assert between_models({"a": finished("a", made()), "b": finished("b", made(layer=2))}) == []


def test_the_block_of_cosines_comes_with_its_reason():
    sections = of_vectors(
        finished("vectors", scored(1, 2.0), scored(3, 5.0, method="probe"), scored(3, 1.0))
    )
    (kinds,) = (one for one in sections if one.title.startswith("Cosines between kinds"))
    assert kinds.place.startswith("block 3,")
    assert "At block 3, where probe at response[:5].mean tells held-out" in kinds.note
    assert "Cohen's d 5.00" in kinds.note
    (blocks,) = (one for one in sections if one.title == "Cosines between blocks")
    assert blocks.names == ("block 1", "block 3")


def test_without_scores_the_middle_block_is_compared():
    vectors = [
        made(layer=layer, method=method) for layer in (1, 2, 5) for method in ("lda", "probe")
    ]
    (kinds, _) = of_vectors(finished("vectors", *vectors))
    assert kinds.place.startswith("block 2,") and "none was scored" in kinds.note


def test_notes_of_vectors_are_said_with_their_stage():
    noted = finished("vectors", made(), notes=["Two cleanings are the same."])
    (notice,) = steering_notices({"vectors": noted})
    assert (notice.what, notice.level) == ("Vectors: Two cleanings are the same.", "note")
