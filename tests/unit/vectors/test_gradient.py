"""The gradient method on a tiny random model, against finite differences and plain search."""

import numpy as np
import pytest
import torch
from massive_reports import massive_report

from sonde.activations.extraction import extract
from sonde.core.edits import Add, Scope
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.models.forward import forward, pad_batch
from sonde.models.tiny import tiny_model
from sonde.vectors import GradientSettings, vectors_from
from sonde.vectors.methods.gradient import Answer, Climb, _slope, gradient


@pytest.fixture(scope="module")
def model():
    return tiny_model("llama", seed=1)


def answers(seed=0):
    """Prompts of other lengths; the positive responses repeat one token, the negative another."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(6):
        prompt = rng.integers(5, 60, 4 + number)
        wanted = 7 if number % 2 else 9
        ids = np.concatenate([prompt, np.full(3, wanted)])
        weight = 1 / 3 if number % 2 else -1 / 3
        found.append(Answer(ids, len(prompt), len(ids), weight))
    return tuple(found)


def climb_of(model, bound=2.0, free=None):
    hooks = model.hook_points("resid_post", "all")
    width = model.info.d_model
    free = torch.ones(width, dtype=torch.bool) if free is None else free
    return Climb(model, answers(), hooks, torch.full((len(hooks),), bound), free)


def objective(climb, hook, v):
    """J(v) by plain passes of one answer each."""
    total = 0.0
    for one in climb.answers:
        batch = pad_batch([one.ids])
        reached = torch.arange(len(one.ids))[None] >= one.start - 1
        edit = Add(hook, v, 1.0, Scope(tokens=reached))
        logits = forward(climb.model, batch, edits=[edit], logits=True).logits[0]
        said = logits.double().log_softmax(-1)
        places = range(one.start, one.stop)
        total += one.weight * np.mean([said[at - 1, one.ids[at]].item() for at in places])
    return total


def test_the_slope_is_that_of_finite_differences(model):
    climb = climb_of(model)
    drawn = torch.Generator().manual_seed(0)
    v = 0.1 * torch.randn(3, model.info.d_model, generator=drawn)
    rows = [(answer, (hook,)) for hook in range(3) for answer in range(6)]
    slope, value = _slope(climb, v, rows)
    for number, hook in enumerate(climb.hooks):
        assert value[number].item() == pytest.approx(objective(climb, hook, v[number]), abs=1e-5)
        along = torch.randn(model.info.d_model, generator=drawn)
        along = along / along.norm()
        up, down = (objective(climb, hook, v[number] + by * along) for by in (0.01, -0.01))
        assert (slope[number] @ along).item() == pytest.approx((up - down) / 0.02, abs=2e-3)


def test_one_pass_gives_the_slope_at_zero_of_every_layer(model):
    climb = climb_of(model)
    v = torch.zeros(3, model.info.d_model)
    together, _ = _slope(climb, v, [(answer, (0, 1, 2)) for answer in range(6)])
    apart, _ = _slope(climb, v, [(answer, (hook,)) for hook in range(3) for answer in range(6)])
    assert torch.allclose(together, apart, atol=1e-5)


def test_it_climbs_above_zero_the_first_step_and_random_directions(model):
    climb = climb_of(model)
    first = gradient(climb, GradientSettings(steps=0))
    found = gradient(climb, GradientSettings(steps=6, layers_at_once=2))
    assert (found.norm(dim=1) <= 2.0 + 1e-4).all()
    assert torch.allclose(first.norm(dim=1), torch.full((3,), 2.0))
    drawn = torch.Generator().manual_seed(2)
    for number, hook in enumerate(climb.hooks):
        here = objective(climb, hook, found[number])
        assert here > objective(climb, hook, torch.zeros(model.info.d_model)) + 0.05
        assert here >= objective(climb, hook, first[number]) - 1e-5
        for _ in range(5):
            other = torch.randn(model.info.d_model, generator=drawn)
            assert here > objective(climb, hook, 2 * other / other.norm())


def test_coordinates_that_are_not_free_are_not_used(model):
    free = torch.ones(model.info.d_model, dtype=torch.bool)
    free[[3, 8]] = False
    found = gradient(climb_of(model, free=free), GradientSettings(steps=2))
    assert (found[:, [3, 8]] == 0).all()
    assert (found.norm(dim=1) > 1).all()


def labelled(count=16):
    return [
        Example(
            id=f"{side}{number}",
            prompt=f"say {number}",
            response=("yes " if side == "positive" else "no. ") * 5 + str(number),
            group=str(number),
            label=side,
        )
        for number in range(count)
        for side in ("positive", "negative")
    ]


@pytest.fixture(scope="module")
def extracted(model):
    examples = labelled()
    positions = ("response[:5].mean", "response[:10].mean")
    return examples, extract(model, examples, positions=positions, progress=False)


def test_vectors_of_the_longest_window_scored_on_other_groups(model, extracted):
    examples, acts = extracted
    massive = massive_report({4: 50.0}, layers=(0, 1, 2), typical_norm=3.0, origin=acts.origin)
    settings = GradientSettings(examples=4, steps=1, layers=(1, 2))
    vectors = vectors_from(
        acts,
        examples,
        methods=("mean_difference", "gradient"),
        cleanings=("none", "before"),
        massive=massive,
        model=model,
        gradient=settings,
    )
    found = vectors.select("gradient")
    assert found.layers == (1, 2)
    assert found.positions == ("response[:10].mean",)
    assert found.cleanings == ("none", "before")
    assert found.select(cleaning="before")[0].massive_share == 0
    one = found[0]
    assert one.length == pytest.approx(3.0, rel=1e-4)
    assert one.n_rows == 8
    scores = vectors.scores(one.name)
    assert len(scores) <= 24
    assert one.metrics["accuracy"].n == len(np.unique(scores.unit))
    assert scores.value == one.metrics["accuracy"].value


def test_what_the_gradient_method_needs_is_named(model, extracted):
    examples, acts = extracted
    asked = {"methods": ("gradient",)}
    massive = massive_report(layers=(0, 1, 2), origin=acts.origin)
    with pytest.raises(SondeError, match="none was given"):
        vectors_from(acts, examples, massive=massive, **asked)
    with pytest.raises(SondeError, match="typical norms, and there is none"):
        vectors_from(acts, examples, model=model, **asked)
    bare = {one.id: one.label for one in examples}
    with pytest.raises(SondeError, match="not examples that each have one"):
        vectors_from(acts, bare, massive=massive, model=model, **asked)
