import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from planted import activations, planted_classes, planted_numbers
from sonde import probes
from sonde.probes.names import DIRECTION, SHUFFLED
from sonde.probes.problem import Problem
from sonde.probes.random_direction import RandomDirections, draw_directions
from sonde.stats import grouped_folds

ROWS, WIDTH = 40, 6


def reader(classes, seed=0, x=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, size=(2, ROWS, WIDTH)) if x is None else x
    numbers = np.random.default_rng(seed + 1).normal(size=ROWS)
    y = np.tile([0.0, 1.0], ROWS // 2) if classes else numbers
    folds = grouped_folds(np.arange(ROWS), 4)
    drawn = torch.stack([draw_directions(f"layer {layer}", 0, WIDTH, 3) for layer in range(2)])
    problem = Problem.plain(*map(torch.from_numpy, (x, y, folds)))
    made = RandomDirections(problem, drawn, says="logit" if classes else "number")
    return made, x, y, folds


def test_numbers_are_read_by_least_squares_along_the_direction():
    made, x, y, folds = reader(classes=False)
    said = made.held_out((1, 3), (0.0,)).numpy()
    train, held = ~np.isin(folds, (1, 3)), np.isin(folds, (1, 3))
    for layer in range(2):
        z = StandardScaler().fit(x[layer][train]).transform(x[layer])
        for number, u in enumerate(made.directions[layer].numpy().T):
            peer = LinearRegression().fit((z[train] @ u)[:, None], y[train])
            want = peer.predict((z[held] @ u)[:, None])
            np.testing.assert_allclose(said[layer, 0, :, number, 0], want, atol=1e-12)


def test_classes_learn_the_sign_and_the_middle_from_the_training_rows():
    made, x, y, folds = reader(classes=True)
    said = made.held_out((2,), (0.0,)).numpy()
    train, held = folds != 2, folds == 2
    z = StandardScaler().fit(x[1][train]).transform(x[1])
    for number, u in enumerate(made.directions[1].numpy().T):
        p = z @ u
        ends = [p[train & (y == side)].mean() for side in (0, 1)]
        want = np.sign(ends[1] - ends[0]) * (p[held] - sum(ends) / 2)
        np.testing.assert_allclose(said[1, 0, :, number, 0], want, atol=1e-12)


def test_directions_are_of_unit_length_and_every_place_has_its_own():
    one, other = (draw_directions(name, 0, 50, 4) for name in ("a", "b"))
    torch.testing.assert_close(one.norm(dim=0), torch.ones(4, dtype=torch.float64))
    assert float((one * other).sum(dim=0).abs().max()) < 0.5
    assert torch.equal(one, draw_directions("a", 0, 50, 4))
    assert not torch.equal(one, draw_directions("a", 1, 50, 4))


@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50), classes=st.booleans())
@hypothesis_settings(max_examples=10, deadline=None)
def test_the_unit_and_origin_of_a_coordinate_do_not_matter(scale, shift, classes):
    plain, x, _, _ = reader(classes)
    moved = x.copy()
    moved[:, :, 2] = moved[:, :, 2] * scale + shift
    other, _, _, _ = reader(classes, x=moved)
    one, two = (each.held_out((0,), (0.0,)) for each in (plain, other))
    torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", [probes.ridge, probes.logistic, probes.mean_difference])
def test_a_probe_beats_random_directions_where_a_direction_is_planted(kind):
    acts, label, _ = planted_classes(n=120, d=40, strength=4.0)
    layer = kind(acts, label, resamples=100).layers[1]
    control = layer.controls[DIRECTION]
    assert len(control.scored) == 5
    assert layer.score.low > control.score.high
    assert (control.scored[0].truth == layer.scored.truth).all()
    assert (control.scored[0].fold == layer.scored.fold).all()


def test_a_signal_that_fills_the_space_is_read_by_any_direction():
    """Where every coordinate says it, a fitted probe proves no direction of its own."""
    label = np.tile([0, 1], 60)
    x = np.random.default_rng(0).normal(size=(120, 3)) + 4.0 * label[:, None]
    layer = probes.logistic(activations([x]), label, resamples=100).layers[0]
    assert layer.controls[DIRECTION].score.value > 0.8
    assert layer.controls[SHUFFLED].score.value == pytest.approx(0.5, abs=0.1)


def test_numbers_have_the_control_and_it_can_be_switched_off():
    acts, y, _ = planted_numbers(n=60)
    found = probes.ridge(acts, y, resamples=50, directions=2)
    assert len(found.layers[1].controls[DIRECTION].scored) == 2
    assert found.layers[1].score.low > found.layers[1].controls[DIRECTION].score.high
    off = probes.ridge(acts, y, resamples=50, directions=0)
    assert DIRECTION not in off.layers[1].controls
    assert off.missing[DIRECTION] == "switched off by directions: 0"
    assert "random direction: no control (switched off by directions: 0)" in str(off)
