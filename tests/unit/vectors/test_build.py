"""Vectors from activations: what is found, what is refused, what is said."""

import numpy as np
import pytest
import torch
from massive_reports import massive_report
from tests.planted import activations, planted_classes

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.vectors import VectorSet, vectors_from

LINEAR = ("mean_difference", "probe", "pca_paired", "pca_pooled", "lda")


@pytest.fixture(scope="module")
def planted():
    return planted_classes(n=80, d=24, strength=6.0, layers=2, pairs=True)


@pytest.fixture(scope="module")
def vectors(planted):
    acts, label, _ = planted
    cleanings = ("none", "top-1", "all", "before")
    massive = massive_report({2: 400.0, 9: 30.0})
    methods = (*LINEAR, "random")
    return vectors_from(
        acts, label, methods=methods, cleanings=cleanings, massive=massive, trait="planted"
    )


def test_a_planted_direction_is_found_by_every_method_and_nowhere_else(planted, vectors):
    direction = torch.tensor(planted[2]).float()
    for method in LINEAR:
        there = vectors.select(method, layer=1, cleaning="none")[0]
        assert float(there.direction @ direction) > 0.85, method
        assert there.metrics["accuracy"].value > 0.95
        assert there.metrics["cohens_d"].low > 2
        elsewhere = vectors.select(method, layer=0, cleaning="none")[0]
        assert elsewhere.metrics["cohens_d"].low < 0.3
    random = vectors.select("random", layer=1, cleaning="none")[0]
    assert abs(float(random.direction @ direction)) < 0.7


def test_cleaned_vectors_have_nothing_in_the_massive_dimensions(vectors):
    assert vectors.select("probe", layer=1, cleaning="none")[0].massive_share > 0
    assert vectors.select("random").cleanings == ("none",)
    for one in vectors.select(cleaning=("all", "before")):
        assert one.massive_share == 0.0
        assert one.direction.norm().item() == pytest.approx(1, abs=1e-6)
    top = vectors.select("probe", layer=1, cleaning="top-1")[0]
    assert top.direction[2] == 0
    assert top.direction[9] != 0


def test_cleaning_before_is_another_vector_where_the_fit_depends_on_it(vectors):
    assert "before" in vectors.select("probe").cleanings
    assert "before" not in vectors.select("mean_difference").cleanings
    assert vectors.same == {"mean_difference/before": "mean_difference/all"}
    assert "mean_difference/before stands for mean_difference/all: it is the same." in vectors.notes


def test_a_cleaning_that_comes_to_the_same_is_found_by_its_own_name(vectors, tmp_path):
    for found in (vectors, VectorSet.load(vectors.save(tmp_path / "set.safetensors"))):
        before = found.select("mean_difference", cleaning="before")
        assert [one.kind for one in before] == ["mean_difference/before"] * 2
        assert before.select(layer=1)[0] is before[1]
        of_all = found.select("mean_difference", cleaning="all")
        for one, other in zip(before, of_all, strict=True):
            assert torch.equal(one.direction, other.direction)
            assert found[one.name].metrics == other.metrics
            assert found.scores(one.name).value == before.scores(one.name).value
            assert found.scores(one.name).value == found.scores(other.name).value
        both = found.select("mean_difference", cleaning=("all", "before"))
        assert len(both) == len(set(both.names)) == 4
        assert len(both.select(cleaning="before")) == 2
        assert found.cosines("mean_difference/before", "mean_difference/all").mean == pytest.approx(
            1
        )
        assert "mean_difference/before" not in found.kinds


def test_without_massive_dimensions_every_cleaning_is_the_plain_vector(planted):
    acts, label, _ = planted
    asked = ("none", "top-3", "all", "before")
    methods = ("mean_difference", "random")
    found = vectors_from(acts, label, methods=methods, cleanings=asked, massive=massive_report())
    assert found.cleanings == ("none",)
    for name in asked[1:]:
        one = found.select("mean_difference", layer=1, cleaning=name)[0]
        assert torch.equal(one.direction, found.select("mean_difference", layer=1)[0].direction)
        assert one.cleaning == name
        with pytest.raises(SondeError, match="No vector has method random"):
            found.select("random", cleaning=name)
    only = vectors_from(acts, label, methods=methods, cleanings=("all",), massive=massive_report())
    assert len(only.select("mean_difference", cleaning="all")) == 2


def test_a_vector_knows_where_it_comes_from(planted, vectors):
    one = vectors.select("mean_difference", layer=1, cleaning="none")[0]
    assert one.trait == "planted"
    assert one.typical_norm == 10.0
    assert one.massive == (2, 9)
    assert one.n_rows == 80
    assert one.labels == ("0", "1")
    assert one.origin == planted[0].origin
    x = planted[0].tensor(one.hook)
    difference = x[planted[1] == 1].mean(0) - x[planted[1] == 0].mean(0)
    assert one.length == pytest.approx(difference.norm().item(), rel=1e-5)
    assert (
        "not centred; signed by the class means; 40 pairs" in vectors.select("pca_paired")[0].note
    )


def test_the_better_of_two_vectors_can_be_told_in_pairs(vectors):
    from sonde.stats.effects import difference

    good = vectors.select("probe", layer=1, cleaning="none")[0].name
    chance = vectors.select("random", layer=1, cleaning="none")[0].name
    apart = difference(vectors.scores(good), vectors.scores(chance))
    assert apart.interval.low > 0


def test_windows_keep_apart():
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 20)
    x = rng.normal(size=(40, 6)) + 3 * label[:, None]
    acts = activations(
        [np.concatenate([x, rng.normal(size=(40, 6))])],
        examples=[str(number) for number in range(40)] * 2,
        positions=["response.mean"] * 40 + ["prompt[-1]"] * 40,
    )
    vectors = vectors_from(acts, np.tile(label, 2), methods=("mean_difference",))
    assert vectors.positions == ("response.mean", "prompt[-1]")
    assert vectors[0].metrics["accuracy"].value > 0.9
    assert vectors[1].metrics["accuracy"].value < 0.8
    assert len(vectors.held_out["prompt[-1]"].truth) == 40


def test_an_empty_or_tiny_side_is_refused(planted):
    acts, label, _ = planted
    with pytest.raises(SondeError, match="1 class"):
        vectors_from(acts, np.zeros(80))
    one = label * 0
    one[3] = 1
    with pytest.raises(SondeError, match="'1' has 1 example"):
        vectors_from(acts, one)


def test_the_same_text_on_both_sides_is_refused():
    acts, label, _ = planted_classes(n=12, d=4)
    texts = [f"text {number}" for number in range(12)]
    texts[5] = "Text  4"
    examples = [
        Example(id=str(number), prompt=text, label=str(label[number]))
        for number, text in enumerate(texts)
    ]
    with pytest.raises(SondeError, match="The text of '4' and of '5', which lie on different"):
        vectors_from(acts, examples)
    twice = acts.tensor(acts.hooks[-1]).clone()
    twice[7] = twice[2]
    same = activations([twice])
    with pytest.raises(SondeError, match="The activations of '2' and of '7'"):
        vectors_from(same, label)


def windowed(lengths, window):
    rng = np.random.default_rng(0)
    acts = activations([rng.normal(size=(len(lengths), 5))], positions=[window] * len(lengths))
    acts.rows.n_tokens[:] = lengths
    return acts, np.tile([0, 1], len(lengths) // 2)


def test_a_window_longer_than_every_response_is_refused():
    acts, label = windowed([4, 7] * 10, "response[:10].mean")
    with pytest.raises(SondeError, match=r"longer than every response: the longest has 7 of its"):
        vectors_from(acts, label)
    acts, label = windowed([4, 10] * 10, "response[:10].mean")
    vectors = vectors_from(acts, label, methods=("mean_difference",))
    assert vectors.notes == ("10 of 20 responses are shorter than response[:10].mean.",)


def test_massive_dimensions_of_another_model_are_refused(planted):
    acts, label, _ = planted
    other = acts.origin.model_copy(update={"model": "other", "model_fingerprint": "beef"})
    with pytest.raises(SondeError, match="are of other, the activations of tiny, with other"):
        vectors_from(acts, label, massive=massive_report(origin=other))


def test_identical_sides_at_one_position_are_refused():
    acts, label, _ = planted_classes(n=20, d=4, layers=1)
    x = acts.tensor(acts.hooks[0])
    flat = torch.zeros_like(x)
    both = activations(
        [torch.cat([flat, x])],
        examples=[str(number) for number in range(20)] * 2,
        positions=["prompt[-1]"] * 20 + ["response.mean"] * 20,
    )
    with pytest.raises(SondeError, match=r"At prompt\[-1\] and .* finds no direction"):
        vectors_from(both, np.tile(label, 2), methods=("mean_difference",))


def test_too_few_groups_for_the_folds_is_said(planted):
    acts, label, _ = planted_classes(n=8, d=4, pairs=True)
    with pytest.raises(SondeError, match="too few for 5 folds"):
        vectors_from(acts, label)
    assert len(vectors_from(acts, label, folds=2, methods=("mean_difference",))) == 2


def test_a_wrong_setting_is_named(planted):
    acts, label, _ = planted
    with pytest.raises(SondeError, match="'lda2' is not a method"):
        vectors_from(acts, label, methods=("lda2",))
