"""Any probe's tokens: what is shown of several outputs and of readers that are not linear."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from sonde.activations.activations import ActivationsInMemory, Origin, RowTable
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import TokenSpans
from sonde.data.examples import Example
from sonde.models.render import Rendered
from sonde.probes.attention_solver import AttentionReader
from sonde.probes.probe import Probe
from sonde.probes.reader import Linear
from sonde.report import TokenText, TokenTruth, TokenView, token_view_of
from sonde.report.sections.token_view import reading
from sonde.report.token_budget import bounded

ORIGIN = Origin(model="tiny", revision="r1", model_fingerprint="f00d" * 4)
HOOK = HookPoint(3, Site.RESID_POST)
TOKENS = 4
X = torch.tensor(np.random.default_rng(0).normal(size=(2 * TOKENS, 3)), dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Largest:
    """A reader of a text's tokens together: the largest first coordinate."""

    name: ClassVar[str] = "largest"
    pools: ClassVar[bool] = True

    def __call__(self, x):
        return x[:, :1].max(dim=0).values.expand(len(x), 1).double()

    def tensors(self):
        return {"mean": torch.zeros(3), "scale": torch.ones(3)}

    @classmethod
    def of(cls, tensors):
        return cls()


def linear(outputs: int) -> Linear:
    weight = torch.arange(outputs * 3, dtype=torch.float64).reshape(outputs, 3) / 4 - 1
    zeros = torch.zeros(3, dtype=torch.float64)
    return Linear(weight, torch.zeros(outputs, dtype=torch.float64), zeros, zeros + 1)


def probe(kind: str, reader, labels: tuple[str, ...], position: str = "all.each") -> Probe:
    says = {"ridge": "number", "logistic": "logit", "multinomial": "logits"}[kind]
    return Probe(kind, HOOK, position, reader, says, labels, 1.0, ORIGIN)


def acts() -> ActivationsInMemory:
    whole = np.zeros(2 * TOKENS, np.int32)
    rows = RowTable(
        example=np.repeat(np.array(["a", "b"]), TOKENS),
        position=np.array(["all.each"] * 2 * TOKENS),
        token=np.tile(np.arange(TOKENS, dtype=np.int32), 2),
        token_id=whole, n_tokens=whole + 1, start=whole, end=whole,
        group=np.array([""] * 2 * TOKENS),
    )  # fmt: skip
    return ActivationsInMemory({HOOK: X.clone()}, rows, ORIGIN)


EXAMPLES = [
    Example(id="a", prompt="wxyz", label="cat"),
    Example(id="b", prompt="wxyz", label="dog"),
]
RENDERED = {
    name: Rendered(
        "wxyz",
        np.arange(TOKENS, dtype=np.int32),
        np.array([[at, at + 1] for at in range(TOKENS)], np.int32),
        TokenSpans(TOKENS, (0, TOKENS), (0, TOKENS), None, ((0, TOKENS),)),
    )
    for name in "ab"
}


def view(of: Probe, **more) -> TokenView:
    return token_view_of([of], acts(), RENDERED, EXAMPLES, **more)


def test_two_classes_show_their_probability_and_tokens_have_their_texts_class():
    found = view(probe("logistic", linear(1), ("cat", "dog")))
    wanted = torch.sigmoid(X[:TOKENS].double() @ linear(1).weight[0])
    assert found.texts[0].scores[0] == pytest.approx(tuple(wanted.tolist()))
    assert found.texts[0].truth == (False,) * TOKENS
    assert found.texts[1].truth == (True,) * TOKENS
    assert not found.one_sided and not found.shade


def test_a_reader_that_pools_shows_each_token_alone():
    found = view(probe("logistic", Largest(), ("cat", "dog"), "all.mean"))
    wanted = torch.sigmoid(X[:TOKENS, 0].double())
    assert found.texts[0].scores[0] == pytest.approx(tuple(wanted.tolist()))
    assert "alone" in found.note
    assert len(set(found.texts[0].scores[0])) == TOKENS


def test_an_attention_probes_tokens_show_their_shares():
    """A text's shares and the offset are what is said of it; colours part at 0."""
    draw = torch.Generator().manual_seed(0)
    query, value = (torch.randn(*shape, 3, generator=draw).double() for shape in ((2,), (1, 2)))
    reader = AttentionReader(query, value, torch.tensor([0.3]).double(), torch.ones(3).double(),
                             torch.ones(3).double())  # fmt: skip
    found = view(probe("logistic", reader, ("cat", "dog")))
    for number, text in enumerate(found.texts):
        x = X[number * TOKENS : (number + 1) * TOKENS]
        whole = sum(text.scores[0]) + float(reader.offset)
        assert whole == pytest.approx(float(reader(x)[0, 0]), abs=1e-6)
        assert not any(it is not None for it in text.truth)
    assert (found.threshold, found.low) == (0.0, -found.high)
    assert found.score == "share of the log-odds of dog"
    assert "share of what is said of the text" in found.note


def test_one_output_of_several_is_shown_by_name():
    ridge = probe("ridge", linear(2), ("latitude", "longitude"))
    found = view(ridge, output="longitude")
    wanted = (X[:TOKENS].double() @ linear(2).weight[1]).tolist()
    assert found.texts[0].scores[0] == pytest.approx(tuple(wanted))
    assert found.classes == ("lower longitude", "higher longitude")
    with pytest.raises(SondeError, match="no output 'altitude'"):
        view(ridge, output="altitude")
    with pytest.raises(SondeError, match="no output 'cat'"):
        view(probe("logistic", linear(1), ("cat", "dog")), output="cat")


def test_the_probability_of_one_class_of_several():
    many = probe("multinomial", linear(3), ("cat", "dog", "owl"))
    found = view(many, output="dog")
    wanted = torch.softmax(X[:TOKENS].double() @ linear(3).weight.T, dim=1)[:, 1]
    assert found.texts[0].scores[0] == pytest.approx(tuple(wanted.tolist()))
    assert found.classes == ("not dog", "dog")
    assert found.texts[1].truth == (True,) * TOKENS
    assert found.texts[0].truth == (False,) * TOKENS


def test_a_token_task_has_a_truth_of_its_own():
    truth = TokenTruth("the next token is ‘x’", {"a": (None, True, False, False)})
    found = view(probe("logistic", linear(1), ("no", "yes")), truth=truth)
    assert found.texts[0].truth == (None, True, False, False)
    assert found.texts[1].truth == ()
    assert found.one_sided and "where the next token is ‘x’" in found.note
    short = TokenTruth("x", {"a": (True,)})
    with pytest.raises(SondeError, match="1 truths for the 4 tokens of 'a'"):
        view(probe("logistic", linear(1), ("no", "yes")), truth=short)


def test_finds_and_false_alarms_are_counted_where_only_tokens_have_a_truth():
    text = TokenText(
        ("a", "b", "c", "d"), (1, 2, 3, 4), ((0.9, 0.2, 0.8, None),),
        truth=(True, True, False, True),
    )  # fmt: skip
    found = TokenView((0,), (text,))
    assert reading(found, text, 0)["said"] == "1 of 2 found, 1 false alarm"


def test_what_does_not_fit_is_left_out_and_said():
    text = TokenText(
        ("a",) * 10, (1,) * 10, ((0.5,) * 10,) * 3, truth=(True,) * 10, template=(0, 9), read_at=9
    )
    whole = TokenView((0, 1, 2), (text, replace(text, shades=((0.0,) * 10,) * 3), text))
    assert bounded(whole) == whole
    two = bounded(whole, numbers=95)
    assert len(two.texts) == 2
    assert two.left_out == "Left out to keep the page small: 1 text."
    assert len(bounded(whole, tokens=19).texts) == 1
    part = bounded(whole, numbers=12)
    assert part.texts[0].tokens == ("a",) * 4
    assert (part.texts[0].template, part.texts[0].read_at) == ((0,), None)
    assert part.left_out == (
        "Left out to keep the page small: 2 texts and the last 6 tokens of the first text."
    )


def test_numbers_that_are_none_become_null():
    nan = replace(probe("ridge", linear(1), ()), reader=linear(1))
    some = acts()
    some.tensor(HOOK)[1] = float("nan")
    found = token_view_of([nan], some, RENDERED, EXAMPLES)
    assert found.texts[0].scores[0][1] is None
    assert found.low < found.threshold < found.high
