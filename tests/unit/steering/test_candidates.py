"""Candidates: their edits, and the keys that answers are kept under."""

import torch
from tests.unit.vectors.made_vectors import made

from sonde.core.edits import Ablate, Add, Clamp, Gate, When
from sonde.steering.candidates import Candidate, How, vector_key
from sonde.steering.controls import random_control


def test_the_edits_of_a_candidate():
    vector, other = made(), made(layer=2, typical_norm=20.0)
    added, second = Candidate(vector, 0.5, also=(other,)).edits()
    assert isinstance(added, Add) and isinstance(second, Add)
    assert added.scale == 5.0 and second.scale == 10.0  # each in its own layer's unit
    assert added.scope.when is When.GENERATED
    assert Candidate(vector, 0.0).edits() == ()
    gate = Gate(vector.hook, torch.ones(3), 0.0, 1.0)
    (clamped,) = Candidate(vector, 0.0, How("clamp", When.BOTH, (2, 5), gate)).edits()
    assert isinstance(clamped, Clamp) and clamped.low == clamped.high == 0.0
    assert clamped.scope.steps == (2, 5) and clamped.scope.gate is gate
    (ablated,) = Candidate(vector, 3.0, How("ablate")).edits()
    assert isinstance(ablated, Ablate)
    assert Candidate(vector, 0.5).raw == 5.0


def test_the_key_of_a_candidate_changes_with_what_it_does_alone():
    vector = made()
    same = made(method="probe", metrics={}, note="renamed")
    assert vector_key(vector) == vector_key(same)
    gates = [Gate(vector.hook, torch.ones(3), 0.0, limit) for limit in (0.0, 1.0)]
    keys = {
        candidate.key
        for candidate in (
            Candidate(vector, 1.0),
            Candidate(vector, 1.5),
            Candidate(made(direction=(0.8, 0.0, 0.6)), 1.0),
            Candidate(made(layer=2), 1.0),
            Candidate(made(typical_norm=11.0), 1.0),
            Candidate(vector, 1.0, How(when=When.BOTH)),
            Candidate(vector, 1.0, How(steps=(0, 5))),
            Candidate(vector, 1.0, How(gate=gates[0])),
            Candidate(vector, 1.0, How(gate=gates[1])),
            Candidate(vector, 1.0, also=(made(layer=2),)),
        )
    }
    assert len(keys) == 10


def test_the_random_control_is_a_function_of_seed_and_place():
    vector = made()
    control = random_control(vector, 0)
    assert control.name == "random@response[:5].mean@blocks.1.resid_post"
    assert control.typical_norm == vector.typical_norm and not control.metrics
    assert torch.equal(control.direction, random_control(made(method="lda"), 0).direction)
    for other in (random_control(vector, 1), random_control(made(layer=2), 0)):
        assert not torch.allclose(control.direction, other.direction)
