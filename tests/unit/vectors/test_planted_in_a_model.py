"""A direction planted in a tiny random model: found where it was added, and steering undoes it."""

import pytest
import torch
from tests.planted import row_table

from sonde.activations.activations import ActivationsInMemory
from sonde.activations.extraction import extract
from sonde.core.edits import Add
from sonde.data.examples import Example
from sonde.models.tiny import tiny_model
from sonde.vectors import vectors_from

METHODS = ("mean_difference", "probe", "pca_paired", "lda")
LAYER, STRENGTH = 1, 4.0


@pytest.fixture(scope="module")
def planted():
    """Pairs of one text, read plainly and with the direction added to what block 1 returns."""
    model = tiny_model("gemma3", seed=4)
    (hook,) = model.hook_points("resid_post", LAYER)
    drawn = torch.Generator().manual_seed(1)
    direction = torch.randn(model.info.d_model, generator=drawn)
    direction = direction / direction.norm()
    texts = [f"a text numbered {number} of {number * 37 % 91}" for number in range(40)]
    examples = [Example(id=str(number), prompt=text) for number, text in enumerate(texts)]
    asked = {"positions": "prompt[-1]", "progress": False}
    plain = extract(model, examples[:20], **asked)
    edited = extract(model, examples[20:], edits=[Add(hook, STRENGTH * direction)], **asked)
    tensors = {one: torch.cat([plain.tensor(one), edited.tensor(one)]) for one in plain.hooks}
    rows = row_table([one.id for one in examples], groups=[str(n % 20) for n in range(40)])
    acts = ActivationsInMemory(tensors, rows, plain.origin)
    labels = ["plain"] * 20 + ["planted"] * 20
    return model, hook, direction, vectors_from(acts, labels, methods=METHODS), acts


@pytest.mark.parametrize("method", METHODS)
def test_every_method_recovers_it_at_its_layer(planted, method):
    _, hook, direction, vectors, _ = planted
    found = vectors.select(method, hook=hook)[0]
    # 20 rows a side; chance is 0.2, and an inverse covariance turns a direction by what it learns.
    assert float(found.direction @ direction) > 0.7
    assert found.metrics["accuracy"].value > 0.9


def test_there_is_nothing_to_find_before_it(planted):
    vectors = planted[3]
    before = vectors.select("mean_difference", layer=LAYER - 1)[0]
    there = vectors.select("mean_difference", layer=LAYER)[0]
    assert before.metrics["cohens_d"].value < 0.4 * there.metrics["cohens_d"].value


def test_its_length_is_what_was_added(planted):
    _, hook, direction, vectors, _ = planted
    found = vectors.select("mean_difference", hook=hook)[0]
    assert found.length * float(found.direction @ direction) == pytest.approx(STRENGTH, rel=0.25)


def test_adding_the_vector_moves_the_projection_by_the_amount_said(planted):
    model, hook, _, vectors, _ = planted
    vector = vectors.select("mean_difference", hook=hook)[0].with_typical_norm(2.5)
    texts = ["another text", "and one more"]
    asked = {"hooks": str(hook), "positions": "prompt[-1]", "progress": False}
    before = vector.project(extract(model, texts, **asked).tensor(hook))
    edits = [vector.edit(1.5)]
    after = vector.project(extract(model, texts, edits=edits, **asked).tensor(hook))
    assert (after - before).tolist() == pytest.approx([3.75, 3.75], abs=1e-3)
