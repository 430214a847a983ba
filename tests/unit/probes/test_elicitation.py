import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison
from sonde.data.examples import Example
from sonde.models.choices import next_choices
from sonde.models.forward import forward, pad_batch
from sonde.models.tiny import tiny_model
from sonde.probes.elicit_settings import ElicitSettings
from sonde.probes.elicitation import elicit
from sonde.probes.elicited import Elicited
from sonde.probes.question_pairs import random_pairs, rounds_of, telling_pairs
from sonde.probes.utilities import fit_utilities

QUESTION = "{a}|{b}?"
TASKS = [Example(f"t{number}", "x" * (number + 1)) for number in range(8)]


@pytest.fixture(scope="module")
def model():
    return tiny_model("llama", max_position_embeddings=128)


def test_log_odds_are_those_of_the_whole_pass(model):
    prompts = [np.array(ids) for ids in ([5, 6, 7], [8], [9, 10, 11, 12], [7, 7, 8])]
    found = next_choices(model, prompts, (65, 66))
    batch = pad_batch(prompts)
    logits = forward(model, batch, logits=True).logits
    last = logits[torch.arange(4), batch.lengths - 1].double().log_softmax(dim=1)
    assert np.allclose(found.log_odds, (last[:, 65] - last[:, 66]).numpy(), atol=1e-6)
    assert np.allclose(found.share, last[:, [65, 66]].exp().sum(dim=1).numpy(), atol=1e-6)


def test_both_orders_cancel_what_the_place_gives(model):
    one = elicit(model, TASKS[:2], question=QUESTION, pairs=1, progress=False)
    other = elicit(model, TASKS[1::-1], question=QUESTION, pairs=1, progress=False)
    assert one.first.tolist() == other.second.tolist() == ["t0"]
    assert np.allclose(one.preference, -other.preference, atol=1e-6)
    assert np.allclose(one.bias, other.bias, atol=1e-6)


def test_batches_change_nothing_and_neither_does_an_interruption(model):
    kept: dict = {}

    def keep(pairs, answers):
        kept.update(zip(pairs, answers, strict=True))

    how = ElicitSettings(question=QUESTION, pairs=20, choose="uncertain", rounds=3, tie=0)
    whole = elicit(model, TASKS, how, keep=keep, progress=False)
    assert len(whole) == 20
    assert len({frozenset(pair) for pair in zip(whole.first, whole.second, strict=True)}) == 20
    again = elicit(model, TASKS, how, known=kept, keep=lambda *_: pytest.fail(), progress=False)
    assert np.array_equal(whole.log_odds, again.log_odds)
    small = elicit(model, TASKS, how, token_budget=20, choose="random", progress=False)
    large = elicit(model, TASKS, how, token_budget=4000, choose="random", progress=False)
    assert np.allclose(small.log_odds, large.log_odds, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"answers": ("yes", "no")}, "'yes' is 3 tokens for tiny llama"),
        ({"pairs": 3}, "3 pairs cannot connect 8 tasks"),
        ({"question": "which?"}, "write {a} once"),
        ({"answers": ("A", "A")}, "give two different ones"),
    ],
)
def test_what_cannot_be_asked_is_named(model, given, named):
    with pytest.raises(SondeError, match=r"tokens|connect|write|different") as caught:
        elicit(model, TASKS, **{"question": QUESTION, "pairs": 10, **given}, progress=False)
    assert named in str(caught.value)


def told(log_odds, **settings):
    log_odds = np.array(log_odds)
    names = np.array([f"t{number}" for number in range(len(log_odds))])
    share = np.full(len(names), settings.pop("share", 0.9))
    return Elicited(names, np.roll(names, 1), log_odds, share, ElicitSettings(**settings))


def test_preferences_by_hand():
    found = told([[2.0, -1.0], [1.0, 0.9], [0.2, 2.0]], tie=0.1)
    assert found.preference.tolist() == pytest.approx([1.5, 0.05, -0.9])
    assert found.bias.tolist() == pytest.approx([0.5, 0.95, 1.1])
    assert found.by_letter == 2 / 3
    outcome = found.comparisons.outcome
    assert outcome.tolist() == pytest.approx([1 / (1 + np.exp(-1.5)), 0.5, 1 / (1 + np.exp(0.9))])
    assert told([[2.0, -1.0]], outcome="winner").comparisons.outcome.tolist() == [1.0]


def test_a_model_that_cannot_decide_is_said():
    position = told([[2.0, 1.9], [2.1, 2.2], [2.0, 1.5]]).warnings
    assert any("mostly position bias (+1.95 log-odds for 'A'" in line for line in position)
    assert any("hardly answers" in line for line in told([[2.0, -2.0]] * 3, share=0.01).warnings)
    assert any("hardly tells" in line for line in told([[0.01, -0.01]] * 3).warnings)
    with pytest.raises(SondeError, match="told none of 2 pairs apart"):
        _ = told([[1.0, 1.0], [0.5, 0.5]]).comparisons


@given(n=st.integers(2, 12), extra=st.integers(0, 30), seed=st.integers(0, 1000))
def test_random_pairs_are_different_and_connect_everything(n, extra, seed):
    pairs = random_pairs(n, n - 1 + extra, np.random.default_rng(seed))
    assert len(pairs) == min(n - 1 + extra, n * (n - 1) // 2)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    reached = {int(pairs[0, 0])}
    for _ in range(n):
        for one, other in pairs.tolist():
            if one in reached or other in reached:
                reached |= {one, other}
    assert reached == set(range(n))


@given(n=st.integers(3, 200), pairs=st.integers(2, 2000), rounds=st.integers(2, 8))
def test_rounds_add_up_and_the_first_can_connect(n, pairs, rounds):
    sizes = rounds_of(n, pairs, rounds)
    assert sum(sizes) == pairs
    assert sizes[0] >= min(n, pairs)


def test_close_pairs_of_uncertain_items_are_asked_next():
    """x and y were compared with z alone, once each; a and b with z often."""
    often = [Comparison("a", "z", 1.0, 50), Comparison("a", "z", 0.0, 50)]
    often += [Comparison("b", "z", 1.0, 50), Comparison("b", "z", 0.0, 50)]
    found = fit_utilities([*often, Comparison("x", "z", 0.5), Comparison("y", "z", 0.5)])
    asked = np.array([[0, 4], [1, 4], [2, 4], [3, 4]])
    chosen = telling_pairs(found, asked, 1, np.random.default_rng(0))
    assert found.items[chosen[0]].tolist() == ["x", "y"]


def test_one_task_under_two_ids_is_named(model):
    twice = [Example("t1", "Sing."), Example("t2", "Dance."), Example("t3", " Sing. ")]
    with pytest.raises(SondeError, match=r"'t1' and 't3' have the same text, 'Sing\.'"):
        elicit(model, twice, question=QUESTION, pairs=3, progress=False)


def test_answers_are_printed_in_short():
    found = Elicited(
        np.array(["a", "b"]),
        np.array(["b", "c"]),
        np.array([[2.0, -1.0], [0.5, 0.5]]),
        np.array([0.8, 0.6]),
        ElicitSettings(),
    )
    lines = str(found).splitlines()
    assert lines[0] == "2 pairs of 3 items, asked in both orders:"
    assert lines[1].endswith("0.750 log-odds on average; ties: 1")
    assert "+0.500 log-odds" in lines[2]
    assert "50% of the pairs" in lines[3]
    assert lines[4].endswith("0.700")
