from dataclasses import replace

import numpy as np
import pytest
import torch

from sonde.probes.answers import LOSSES, Answers
from sonde.probes.mlp_solver import Mlp
from sonde.probes.networks import LEAST, Inputs, Task, stopping_epochs, trained


def task(penalty=((1.0, 100.0),), n=40, d=5, layers=1, seed=0):
    dice = torch.Generator().manual_seed(seed)
    z = torch.randn((layers, n, d), generator=dice, dtype=torch.float64)
    columns = len(penalty[0])
    y = (z[0, :, 0] > 0).double().expand(columns, -1)[..., None]
    network = Mlp(3)
    weights = network.weights(d, 1)
    start = [torch.randn(it.shape, generator=dice, dtype=torch.float64) for it in weights]
    return Task(
        network=network,
        weights=weights,
        loss=LOSSES["two_classes"],
        inputs=Inputs(z, torch.arange(n)[:, None]),
        y=y,
        penalty=torch.tensor(penalty, dtype=torch.float64).expand(layers, -1),
        start=tuple(one.expand(layers, columns, *one.shape).clone() for one in start),
        rate=0.05,
    )


def test_the_first_step_by_hand():
    """Adam's first step is the rate over root fan-in, against the slope's sign."""
    given = task(penalty=((1.0,),))
    now = [one.clone().requires_grad_() for one in given.start]
    said = given.network(tuple(now), given.inputs, None)
    squares = now[0].square().sum() + now[2].square().sum()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(said[0, 0], given.y[0])
    slopes = torch.autograd.grad(loss + squares / (2 * 40), now)
    after = trained(given, torch.ones((1, 1), dtype=torch.int64))
    for begun, moved, slope, fan_in in zip(given.start, after, slopes, (5, 1, 3, 1), strict=True):
        expected = begun - 0.05 / fan_in**0.5 * slope / (slope.abs() + 1e-8)
        torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-9)


def test_several_steps_are_those_of_torch():
    given = task(penalty=((3.0,),))
    own = [one[0, 0].clone().requires_grad_() for one in given.start]
    groups = [{"params": [one], "lr": 0.05 / root} for one, root in
              zip(own, (5**0.5, 1, 3**0.5, 1), strict=True)]  # fmt: skip
    optimiser = torch.optim.Adam(groups)
    for _ in range(12):
        optimiser.zero_grad()
        hidden = (given.inputs.z[0] @ own[0].T + own[1]).relu()
        said = hidden @ own[2].T + own[3]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(said, given.y[0])
        (loss + 3.0 / (2 * 40) * (own[0].square().sum() + own[2].square().sum())).backward()
        optimiser.step()
    for mine, theirs in zip(trained(given, torch.tensor([[12]])), own, strict=True):
        torch.testing.assert_close(mine[0, 0], theirs.detach(), rtol=1e-7, atol=1e-9)


def test_each_network_goes_its_own_way():
    """What a network becomes doesn't hang on which others are beside it, or when they stop."""
    whole = task(penalty=((1.0, 100.0, 10.0),), layers=3)
    epochs = torch.tensor([[4, 9, 2], [7, 1, 3], [5, 5, 8]])
    together = trained(whole, epochs)
    for layer, column in ((0, 1), (1, 0), (2, 2)):
        penalty = whole.penalty[0, column].item()
        one = task(penalty=((penalty,),), layers=3)
        lone = Task(
            one.network, one.weights, one.loss,
            Inputs(whole.inputs.z[[layer]], whole.inputs.tokens),
            one.y, one.penalty[[layer]], tuple(it[[layer]] for it in one.start), one.rate,
        )  # fmt: skip
        alone = trained(lone, epochs[layer, column].reshape(1, 1))
        for many, single in zip(together, alone, strict=True):
            torch.testing.assert_close(many[layer, column], single[0, 0], rtol=1e-9, atol=1e-9)


def test_training_stops_at_the_lowest_loss_apart():
    given, other = task(penalty=((1e-3, 50.0),)), task(seed=1)
    first, inner, second, outer = given.start
    silent = replace(given, start=(first, inner, second * 0, outer * 0))
    apart = other.inputs, 1 - other.y  # the opposite: the loss apart only rises
    assert int(stopping_epochs(silent, apart, 100, 3)[0, 0]) == LEAST
    follow = stopping_epochs(given, (given.inputs, given.y), 35, 5)
    losses = [
        given.loss(given.network(trained(given, torch.full((1, 2), epoch)), given.inputs, None),
                   given.y)
        for epoch in range(LEAST, 36)
    ]  # fmt: skip
    lowest = torch.stack(losses).argmin(dim=0) + LEAST
    assert (follow == lowest).all()


def test_losses_are_those_of_torch():
    dice = torch.Generator().manual_seed(0)
    said = torch.randn((2, 3, 6, 4), generator=dice, dtype=torch.float64)
    numbers = torch.randn((3, 6, 4), generator=dice, dtype=torch.float64)
    classes = torch.randint(4, (3, 6, 1), generator=dice).double()
    functional = torch.nn.functional
    for layer in range(2):
        for column in range(3):
            here, y = said[layer, column], classes[column, :, 0]
            assert float(LOSSES["classes"](said, classes)[layer, column]) == pytest.approx(
                float(functional.cross_entropy(here, y.long()))
            )
            assert float(LOSSES["numbers"](said, numbers)[layer, column]) == pytest.approx(
                2 * float(functional.mse_loss(here, numbers[column]))
            )
            ones = (numbers > 0).double()[..., :1]
            assert float(LOSSES["two_classes"](said[..., :1], ones)[layer, column]) == (
                pytest.approx(float(functional.binary_cross_entropy_with_logits(
                    here[:, :1], ones[column])))
            )  # fmt: skip


def test_answers_by_hand():
    train = torch.tensor([True, True, True, False])
    y = torch.tensor([1.0, 3.0, 5.0, 100.0], dtype=torch.float64)[:, None, None]
    numbers = Answers.of("numbers", y, train)
    np.testing.assert_allclose(numbers.y[0, :3, 0], np.array([-2, 0, 2]) / np.sqrt(8 / 3))
    np.testing.assert_allclose(numbers.restored(numbers.y)[0, :, 0], y[:, 0, 0])
    assert float(numbers.begin(train)) == 0
    two = Answers.of("two_classes", (y > 2).double(), train)
    assert float(two.begin(train)) == pytest.approx(np.log(2.5 / 1.5))
    several = Answers.of("classes", torch.tensor([0.0, 2, 2, 1])[:, None, None].double(), train)
    np.testing.assert_allclose(several.begin(train)[0], np.log(np.array([1.5, 0.5, 2.5]) / 4.5))
