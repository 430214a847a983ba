import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from sonde.probes.lines import ClassLines, RowLines, TargetLines, first_rows
from sonde.probes.pooled_directions import PooledDirections
from sonde.probes.problem import Problem
from sonde.probes.random_direction import RandomDirections, draw_directions
from sonde.stats import r2


def test_rows_and_classes_by_hand():
    y = np.array([[[0.0]], [[2.0]], [[1.0]]])
    said = np.array([[[3.0, 1, 0]], [[0, 1, 2]], [[5, 1, 4]]])
    classes = ClassLines(np.array([0, 2]))
    assert classes.truth(y).tolist() == [[0], [1]]
    assert classes.said(said).tolist() == [[0], [0]]
    rows = RowLines(np.array([1, 2]))
    assert rows.said(said[None, None]).tolist() == [[[[0], [5]]]]
    said[2, 0, 1] = np.nan
    assert np.isnan(classes.said(said)[1, 0])


def test_the_first_rows_of_examples():
    assert first_rows(np.array(["b", "b", "a", "a", "a", "c"])).tolist() == [0, 2, 5]


@given(seed=st.integers(0, 100), targets=st.integers(2, 5))
def test_the_score_of_target_lines_is_the_mean_of_the_targets(seed, targets):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(12, targets)) * rng.uniform(0.1, 100, targets) + rng.normal(size=targets)
    said = y + rng.normal(size=y.shape) * y.std(axis=0)
    lines = TargetLines.of(y, np.arange(12))
    found = r2(lines.truth(y[:, None])[:, 0], lines.said(said[:, None])[:, 0])
    np.testing.assert_allclose(found, r2_score(y, said), atol=1e-9)


def test_pooled_directions_read_the_mean_of_an_examples_rows():
    rng = np.random.default_rng(0)
    sizes = np.array([2, 1, 3, 2, 1, 3, 2, 2])
    example = np.repeat(np.arange(8), sizes)
    x, y = rng.normal(size=(1, len(example), 5)), np.tile([0.0, 1.0], 4)
    folds = np.arange(8) // 2
    means = np.stack([x[:, example == one].mean(axis=1) for one in range(8)], axis=1)
    drawn = draw_directions("here", 0, 5, 3)[None]
    each = Problem(
        torch.from_numpy(x),
        torch.from_numpy(y[example][:, None, None]),
        torch.from_numpy(folds[example]),
        torch.from_numpy(example),
    )
    whole = Problem.plain(*map(torch.from_numpy, (means, y, folds)))
    got = PooledDirections(each, drawn, "logit").held_out((1,), (0.0,))
    want = RandomDirections(whole, drawn, "logit").held_out((1,), (0.0,))
    torch.testing.assert_close(got, want[:, :, np.repeat([0, 1], sizes[2:4])])
