"""Projections of every token on vectors, of steered and unsteered texts."""

import numpy as np
import pytest
import torch
from tests.unit.steering.tiny_search import LAYER, planted, session, tiny

from sonde.core.edits import When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.forward import forward, pad_batch
from sonde.models.generate import GenerateSettings, generate
from sonde.models.tiny import tiny_model
from sonde.steering import Arm, Candidate, How, monitor, transcripts
from sonde.steering.monitoring import Transcript, check_same_tokens
from sonde.steering.projections import Projections

VECTORS = [planted(), planted(layer=1, typical_norm=None)]


def texts(candidate=None, n=3):
    """Answers of eight tokens, written with and without steering by ``generate``."""
    prompts = session().prompts()[:n]
    edits = () if candidate is None else candidate.edits()
    made = generate(tiny(), prompts, GenerateSettings(max_new_tokens=8), edits)
    return [
        Transcript(f"text {number}", prompt, answer, candidate)
        for number, (prompt, answer) in enumerate(zip(prompts, made.tokens, strict=True))
    ]


def test_projections_are_those_of_a_forward_pass():
    given = texts()
    found = monitor(tiny(), given, VECTORS)
    start = 0
    for number, text in enumerate(given):
        ids = (*text.prompt, *text.answer)
        hooks = [vector.hook for vector in VECTORS]
        seen = forward(tiny(), pad_batch([ids]), capture=hooks).activations
        for column, vector in enumerate(VECTORS):
            expected = (seen[vector.hook][0] @ vector.direction).numpy()
            got = found.values[start : start + len(ids), column]
            np.testing.assert_allclose(got, expected, atol=1e-4)
        rows = slice(start, start + len(ids))
        assert found.token_id[rows].tolist() == list(ids)
        assert found.text[rows].tolist() == [number] * len(ids)
        assert found.generated[rows].sum() == len(text.answer)
        start += len(ids)
    assert len(found) == start == len(found.piece)


def test_what_steers_adds_its_coefficient_at_its_own_place():
    candidate = Candidate(planted(), 0.5, How(steps=(2, 5)))
    given = texts(candidate)
    steered, plain = (monitor(tiny(), given, VECTORS, steered=flag) for flag in (True, False))
    added = steered.values - plain.values
    step = np.concatenate([np.arange(len(t.prompt) + len(t.answer)) - len(t.prompt) for t in given])
    reached = (step >= 2) & (step < 5)
    np.testing.assert_allclose(added[reached, 0], candidate.raw, rtol=1e-4)
    np.testing.assert_allclose(added[~reached, 0], 0, atol=1e-4)
    np.testing.assert_allclose(added[:, 1], 0, atol=1e-4)  # a layer before sees nothing
    units = steered.in_units() - plain.in_units()
    np.testing.assert_allclose(units[reached, 0], 0.5, rtol=1e-4)
    assert np.isnan(steered.in_units()[:, 1]).all()


def test_the_same_tokens_are_reached_as_in_generation():
    """Reading a steered text with its edits gives the logits that wrote it."""
    for when in (When.GENERATED, When.BOTH, When.PROMPT):
        candidate = Candidate(planted(layer=1), 1.0, How(when=when))
        (text,) = texts(candidate, n=1)
        last = HookPoint(LAYER, Site.RESID_POST)
        probe = planted(method="read")
        found = monitor(tiny(), [text], [probe])
        # Steer the growing prompt one token at a time: the last token's activation each time.
        for step in range(1, len(text.answer)):
            ids = (*text.prompt, *text.answer[:step])
            reach = torch.zeros(1, len(ids), dtype=torch.bool)
            reach[0, : len(text.prompt)] = when is not When.GENERATED
            reach[0, len(text.prompt) :] = when is not When.PROMPT
            (edit,) = Candidate(planted(layer=1), 1.0, How(when=When.BOTH)).edits()
            edit = type(edit)(edit.hook, edit.vector, edit.scale, type(edit.scope)(tokens=reach))
            seen = forward(tiny(), pad_batch([ids]), capture=[last], edits=[edit]).activations
            expected = float(seen[last][0, -1] @ probe.direction)
            assert found.values[len(ids) - 1, 0] == pytest.approx(expected, abs=1e-4)


def test_means_and_their_difference():
    candidate = Candidate(planted(), 0.5)
    given = texts(candidate, n=8)
    steered, plain = (monitor(tiny(), given, VECTORS, steered=flag) for flag in (True, False))
    means = steered.means()
    rows = (steered.text == 3) & steered.generated
    np.testing.assert_allclose(means[3], steered.values[rows].mean(axis=0), rtol=1e-5)
    own, other = steered.minus(plain)
    assert own.interval.value == pytest.approx(candidate.raw, rel=1e-4)
    assert other.interval.value == pytest.approx(0, abs=1e-4)
    assert own.interval.n == 8
    assert steered.minus(plain, "prompt")[0].interval.value == pytest.approx(0, abs=1e-4)
    with pytest.raises(SondeError, match="different vectors"):
        steered.minus(monitor(tiny(), given, VECTORS[:1]))


def test_saved_and_loaded_projections_are_the_same(tmp_path):
    found = monitor(tiny(), texts(), VECTORS)
    again = Projections.load(found.save(tmp_path / "tokens.parquet"))
    assert (again.vectors, again.texts, again.piece) == (found.vectors, found.texts, found.piece)
    for name in ("text", "token", "token_id", "generated", "values"):
        assert np.array_equal(getattr(again, name), getattr(found, name)), name
    with pytest.raises(SondeError, match="cannot be read"):
        Projections.load(tmp_path / "nothing.parquet")


def test_transcripts_are_an_arms_answers():
    own = session(max_new_tokens=4)
    arm = Arm(Candidate(planted(), 1.0))
    found = transcripts(own, arm)
    assert [one.name for one in found] == list(own.task.questions)
    answers = own.answers([(arm, number) for number in range(9)])
    assert [one.answer for one in found] == [one.tokens for one in answers]
    assert all(one.candidate is arm.candidate for one in found)


def test_what_cannot_be_monitored_is_refused():
    given = texts()
    with pytest.raises(SondeError, match="0 texts were to be monitored along 1 vectors"):
        monitor(tiny(), [], VECTORS[:1])
    with pytest.raises(SondeError, match="share a name, such as 'text 0'"):
        monitor(tiny(), [given[0], given[0]], VECTORS)
    other = planted(origin=planted().origin.model_copy(update={"model": "other"}))
    with pytest.raises(SondeError, match="was made from other"):
        monitor(tiny(), given, [other])
    assert len(monitor(tiny(), given, [other], allow_other_model=True)) > 0


def test_a_reader_with_other_tokens_is_refused():
    writer = tiny_model("llama")
    writer.tokenizer.add_tokens(["unheard"])
    check_same_tokens(writer, tiny(), texts())
    new = Transcript("new", (70, 71), (len(writer.tokenizer) - 1,))
    with pytest.raises(SondeError, match="of 3 tokens 1 are others to it, such as 'unheard'"):
        check_same_tokens(writer, tiny(), [new])
