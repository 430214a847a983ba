"""Moments: by hand, against numpy, and however the rows are cut and ordered."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.activations import extract, stream
from sonde.activations.moments import Moments, mean_difference, merged, moments_of, stream_moments
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point

HOOK = parse_hook_point("blocks.1.resid_post")


def test_moments_worked_by_hand():
    # (1, 10) and (3, 20): mean (2, 15), deviations ±(1, 5).
    left = moments_of(torch.tensor([[1.0, 10.0], [3.0, 20.0]]), covariance=True)
    assert left.mean.tolist() == [2, 15]
    assert left.scatter.tolist() == [[2, 10], [10, 50]]
    assert left.covariance.tolist() == [[1, 5], [5, 25]]
    # With (5, 0): mean (3, 10), deviations (-2, 0), (0, 10), (2, -10).
    both = left.merge(moments_of(torch.tensor([[5.0, 0.0]]), covariance=True))
    assert both.count == 3
    assert both.mean.tolist() == pytest.approx([3, 10])
    assert both.scatter.flatten().tolist() == pytest.approx([8, -20, -20, 200])


@given(
    st.integers(1, 40),
    st.lists(st.integers(0, 40), max_size=5),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_cuts_and_order_do_not_matter(rows, cuts, random, covariance):
    x = torch.from_numpy(np.random.default_rng(rows).normal(50, 2, (rows, 3)))
    edges = sorted({0, rows, *(min(cut, rows) for cut in cuts)})
    parts = [moments_of(x[start:stop], covariance=covariance) for start, stop in pairwise(edges)]
    random.shuffle(parts)
    empty = moments_of(x[:0], covariance=covariance)
    whole = empty
    for part in [*parts, empty]:
        whole = whole.merge(part)
    expected = moments_of(x, covariance=covariance)
    assert whole.count == rows
    torch.testing.assert_close(whole.mean, expected.mean)
    torch.testing.assert_close(whole.scatter, expected.scatter, atol=1e-8, rtol=1e-8)


def test_a_large_mean_does_not_cancel_the_spread():
    x = torch.from_numpy(np.random.default_rng(0).normal(1e8, 1, (1000, 2)))
    whole = moments_of(x[:0])
    for start in range(0, 1000, 10):
        whole = whole.merge(moments_of(x[start : start + 10]))
    assert whole.variance.numpy() == pytest.approx(x.numpy().var(0), rel=1e-6)
    naive = (x.square().mean(0) - x.mean(0).square()).numpy()
    assert np.abs(naive - x.numpy().var(0)).max() > 0.1, "the naive formula does cancel here"


def test_a_stream_equals_numpy_on_what_was_extracted(model, data):
    classes = {example.id: example.label for example in data[:30]}
    whole = extract(model, data, layers=1, positions="all")
    batches = stream(model, data, layers=1, positions="all", token_budget=200)
    found = stream_moments(batches, classes, covariance=True)
    x = whole.tensor(HOOK).double().numpy()
    labels = [classes.get(example) for example in whole.rows.example]
    assert found.unlabelled == labels.count(None) > 0
    for label in (0, 1):
        rows = x[[each == label for each in labels]]
        here = found.of(HOOK, label)
        assert here.count == len(rows)
        assert here.mean.numpy() == pytest.approx(rows.mean(0), abs=1e-5)
        assert here.variance.numpy() == pytest.approx(rows.var(0), rel=1e-3, abs=1e-6)
        assert here.covariance.numpy() == pytest.approx(np.cov(rows.T, ddof=0), abs=1e-4)
    both = x[[each is not None for each in labels]]
    assert found.total(HOOK).variance.numpy() == pytest.approx(both.var(0), rel=1e-3, abs=1e-6)
    difference = mean_difference(found, 1, 0)[HOOK].numpy()
    expected = found.of(HOOK, 1).mean - found.of(HOOK, 0).mean
    assert difference == pytest.approx(expected.numpy())


def test_a_store_gives_the_same_moments(tmp_path, model, data):
    store = extract(model, data, layers=1, out=tmp_path / "store")
    streamed = stream_moments(stream(model, data, layers=1))
    stored = stream_moments(store.batches(size=6))
    torch.testing.assert_close(stored.of(HOOK).mean, streamed.of(HOOK).mean)
    torch.testing.assert_close(stored.of(HOOK).scatter, streamed.of(HOOK).scatter)


def test_runs_merge_class_by_class(model, data):
    classes = {example.id: example.label for example in data}
    parts = [
        stream_moments(stream(model, part, layers=1), classes) for part in (data[:15], data[15:])
    ]
    whole = stream_moments(stream(model, data, layers=1), classes)
    both = merged(parts)
    for label in (0, 1):
        torch.testing.assert_close(
            both.of(HOOK, label).scatter, whole.of(HOOK, label).scatter, atol=1e-4, rtol=1e-4
        )


def test_what_is_missing_is_said(model, data):
    with pytest.raises(SondeError, match="None of the 40 rows has a class"):
        stream_moments(stream(model, data, layers=1), {"other": 1})
    found = stream_moments(stream(model, data, layers=1))
    with pytest.raises(SondeError, match="class 'yes'"):
        found.of(HOOK, "yes")
    with pytest.raises(SondeError, match="no covariance"):
        _ = found.of(HOOK).covariance
    with pytest.raises(SondeError, match="no rows"):
        stream_moments([])
    assert Moments.__slots__ == ("count", "mean", "scatter")
