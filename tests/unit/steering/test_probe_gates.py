"""Gates of steering: made from probes, checked, and what a search with one does."""

from math import inf, isnan, log, nan

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats, integers
from tests.unit.steering.tiny_search import judges, planted, same_answers, session, tiny

from sonde.activations.origin import Origin
from sonde.core.edits import Gate, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.probes.mlp_solver import MlpReader
from sonde.probes.probe import Probe
from sonde.probes.reader import Linear
from sonde.steering import PerplexityCap, SteeringResults, monitor, probe_gate, search
from sonde.steering.candidates import Arm, Candidate, How
from sonde.steering.gates import check_gate, open_share
from sonde.steering.joint import JointVectors
from sonde.steering.monitoring import transcripts
from sonde.steering.used_gate import GateRecord, UsedGate

AT = HookPoint(0, Site.RESID_POST)
GIVEN = {
    "limit": PerplexityCap(times=20),
    "points": 2,
    "refinements": 0,
    "screen": {"questions": 1, "highest": 4},
}


def probe(says="logit", outputs=1, width=3, seed=0, bias=0.25, **changes):
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, width, generator=rng, dtype=torch.float64)
    reader = Linear(
        weight, torch.full((outputs,), bias).double(), torch.zeros(width), torch.ones(width)
    )
    given = {
        "kind": "logistic",
        "hook": AT,
        "position": "prompt[-1]",
        "reader": reader,
        "says": says,
        "labels": ("no", "yes"),
        "penalty": 1.0,
        "origin": Origin(model="tiny"),
    }
    return Probe(**{**given, **changes})


def gate_at(quantile):
    """Return a gate that is open at a share of the unsteered tokens, and what it reads of them."""
    model, texts = tiny(), transcripts(session(), Arm())
    weight = torch.randn(model.info.d_model, generator=torch.Generator().manual_seed(3))
    said = []
    for text in texts:
        ids = (*text.prompt, *text.answer)
        x = forward(model, pad_batch([ids]), capture=[AT]).activations[AT][0]
        said += (x.float() @ weight)[len(text.prompt) :].tolist()
    limit = {0: -1e6, 1: 1e6}.get(quantile, float(np.quantile(said, quantile)) if said else 0.0)
    return Gate(AT, weight, 0.0, limit), np.array(said)


@given(seed=integers(0, 999), chance=floats(0.01, 0.99), bias=floats(-3, 3))
def test_a_gate_is_open_where_the_probe_says_so(seed, chance, bias):
    own = probe(seed=seed, bias=bias)
    x = torch.randn(1, 7, 3, generator=torch.Generator().manual_seed(seed + 1))
    said = own.score(x[0].double()).numpy()
    clear = np.abs(said - chance) > 1e-5
    opened = probe_gate(own, chance=chance).open(x)[0, :, 0].numpy()
    assert np.array_equal(opened[clear], (said > chance)[clear])
    number = probe("number", seed=seed, bias=bias)
    above = float(number.score(x[0].double())[3]) - 1e-3
    assert bool(probe_gate(number, above=above).open(x)[0, 3, 0])


def test_a_gate_by_hand():
    made = probe_gate(probe(bias=0.5), chance=0.75)
    assert made.hook == AT and made.bias == 0.5
    assert made.threshold == pytest.approx(log(3))
    assert probe_gate(probe()).threshold == 0.0
    assert str(UsedGate(made, 0.125)) == (
        "where x · w + b > 1.099 at blocks.0.resid_post: at 12.5% of the unsteered answers' tokens"
    )


def test_a_probe_that_cannot_be_a_gate_is_refused():
    network = MlpReader(*(torch.zeros(shape) for shape in ((2, 3), (2,), (1, 2), (1,), (3,), (3,))))
    with pytest.raises(SondeError, match="A mlp probe cannot be a gate: it is not linear"):
        probe_gate(probe(kind="mlp", reader=network))
    with pytest.raises(SondeError, match=r"it says 3 numbers of a token \(a, b, c\)"):
        probe_gate(probe("logits", 3, labels=("a", "b", "c")))
    with pytest.raises(SondeError, match="says no probability"):
        probe_gate(probe("number", kind="ridge"), chance=0.5)
    for chance in (0.0, 1.0, nan):
        with pytest.raises(SondeError, match="cannot open at a chance"):
            probe_gate(probe(), chance=chance)
    with pytest.raises(SondeError, match="NaN or Inf"):
        probe_gate(probe(), above=inf)


def test_a_gate_lies_before_what_is_steered():
    def reads(layer, site):
        return Gate(HookPoint(layer, site), torch.ones(3))

    one = JointVectors.of(planted(layer=1))
    two = JointVectors.of([planted(layer=1), planted(layer=2)])
    check_gate(reads(1, Site.RESID_POST), [one])
    check_gate(reads(1, Site.MLP_OUT), [one, two])
    with pytest.raises(SondeError, match=r"from blocks.1.resid_post on, .* comes to later"):
        check_gate(reads(2, Site.RESID_PRE), [one])
    with pytest.raises(SondeError, match="activations that are steered already"):
        check_gate(reads(1, Site.RESID_POST), [two])
    before = planted(hook=HookPoint(2, Site.RESID_PRE))
    last = planted(layer=2)
    with pytest.raises(SondeError, match="activations that are steered already"):
        check_gate(reads(1, Site.RESID_POST), [JointVectors.of([before, last])])


def test_the_share_of_tokens_by_hand():
    gate, said = gate_at(0.7)
    scope = Scope(when=When.GENERATED)
    share = open_share(session(), gate, scope)
    assert share == pytest.approx((said > gate.threshold).mean(), abs=1.5 / len(said))
    assert open_share(session(), gate_at(0)[0], scope) == 1
    assert open_share(session(), gate_at(1)[0], scope) == 0
    assert open_share(session(), gate_at(0)[0], Scope(when=When.PROMPT)) == 1
    assert isnan(open_share(session(), gate, Scope(when=When.GENERATED, steps=(100, None))))


def test_a_gate_that_is_always_open_or_never(tmp_path):
    free = search(session(**GIVEN), [planted()], judges())
    always = search(session(**GIVEN), [planted()], judges(), gate=gate_at(0)[0])
    assert always.answers.text == free.answers.text and always.arms == free.arms
    assert any("as good as none" in one for one in always.warnings)
    never = search(session(**GIVEN), [planted()], judges(), gate=gate_at(1)[0])
    steered = never.select()
    assert all(never.answers.text[arm] == never.answers.text[0] for arm in steered)
    assert any("nothing to steer" in one for one in never.warnings)
    assert never.cliffs == free.cliffs  # of edits at every token
    again = SteeringResults.load(never.save(tmp_path))
    assert same_answers(again, never) and again.gate.open_share == 0
    how = How(gate=never.gate.gate), How(gate=again.gate.gate)
    assert Candidate(planted(), 1.0, how[0]).key == Candidate(planted(), 1.0, how[1]).key


def test_a_gate_lets_some_tokens_through_and_monitoring_shows_them():
    gate, _ = gate_at(0.5)
    own = session()
    texts = transcripts(own, Arm(Candidate(planted(), 1.0, How(gate=gate))))
    steered, plain = (monitor(tiny(), texts, [planted()], steered=flag) for flag in (True, False))
    added = (steered.values - plain.values)[:, 0]
    expected = []
    for text in texts:  # block 0 lies before what is steered: it reads the same either way
        ids = (*text.prompt, *text.answer)
        x = forward(tiny(), pad_batch([ids]), capture=[AT]).activations[AT]
        opened = gate.open(x)[0, :, 0].numpy()
        expected += [bool(one) and at >= len(text.prompt) for at, one in enumerate(opened)]
    assert 0 < np.sum(expected) < plain.generated.sum()
    raw = planted().raw_coefficient(1.0)
    np.testing.assert_allclose(added, np.where(expected, raw, 0.0), rtol=1e-3, atol=1e-3)


def test_a_gate_that_hardly_opens_is_cautioned_against():
    few = search(session(**GIVEN), [planted()], judges(), gate=gate_at(0.97)[0])
    assert 0 < few.gate.open_share < 0.05
    assert any("hardly see what steering does there" in one for one in few.warnings)


def test_a_record_is_the_gate_again():
    used = UsedGate(probe_gate(probe(bias=0.1), above=0.3), nan)
    again = GateRecord.model_validate_json(GateRecord.of(used).model_dump_json()).used()
    assert isnan(again.open_share) and again.gate.hook == AT
    assert torch.equal(again.gate.weight, used.gate.weight)
    assert (again.gate.bias, again.gate.threshold) == (used.gate.bias, used.gate.threshold)
