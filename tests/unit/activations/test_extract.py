"""Extraction in memory and as a stream, against passes of one example each."""

import numpy as np
import pytest
import torch
from tiny_runs import HOOK, break_rows, limited_memory, sentences, tiny_model

from sonde.activations import ExtractSettings, extract, stream
from sonde.activations.budgets import learnt_budget
from sonde.core.edits import Add, Scope
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.data.examples import Example, Message
from sonde.models.forward import forward, pad_batch


def alone(model, example, hook=HOOK):
    """All tokens of one example in a pass of its own, ``[pos, d_model]``."""
    rendered = model.render(example)
    batch = pad_batch([rendered.ids], 0, model.device)
    return rendered, forward(model, batch, capture=[hook]).activations[hook][0]


def test_rows_equal_passes_of_one_example(model, data):
    found = extract(
        model, data, positions=["prompt[-1]", "user.mean", "user.max", "all"], token_budget=300
    )
    rows, tensor = found.rows, found.tensor(HOOK)
    at = 0
    for example in data:
        rendered, whole = alone(model, example)
        first, stop = rendered.spans.user
        expected = [
            whole[rendered.spans.prompt[1] - 1],
            whole[first:stop].mean(0),
            whole[first:stop].amax(0),
            *whole,
        ]
        here = slice(at, at + len(expected))
        torch.testing.assert_close(tensor[here], torch.stack(expected), atol=2e-5, rtol=1e-4)
        assert set(rows.example[here]) == {example.id} and set(rows.group[here]) == {example.group}
        assert rows.n_tokens[here].tolist() == [1, stop - first, stop - first, *[1] * len(whole)]
        assert rows.token[at + 3 : here.stop].tolist() == list(range(len(whole)))
        assert rows.token_id[at + 3 : here.stop].tolist() == rendered.ids.tolist()
        text = rendered.text[rows.start[at + 1] : rows.end[at + 1]]
        assert text == example.prompt
        at = here.stop
    assert at == len(rows) == len(tensor)


def test_the_origin_names_the_template_that_was_used(model, data):
    assert extract(model, data, layers=1).origin.template == "chat"
    assert extract(model, data, layers=1, template="none").origin.template == "none"


def test_the_budget_does_not_change_the_rows(model, data):
    small = extract(model, data, layers=1, token_budget=60)
    large = extract(model, data, layers=1, token_budget=5000)
    torch.testing.assert_close(small.tensor(HOOK), large.tensor(HOOK), atol=2e-5, rtol=1e-4)
    assert small.rows.example.tolist() == large.rows.example.tolist()


def test_a_stream_gives_each_row_once_and_again(model, data):
    whole = extract(model, data, layers=1, positions="all")
    batches = stream(model, data, layers=1, positions="all", token_budget=200)
    for _ in range(2):
        seen = np.zeros(len(whole.rows), int)
        for batch in batches:
            seen[batch.numbers] += 1
            expected = whole.tensor(HOOK)[torch.from_numpy(batch.numbers)]
            torch.testing.assert_close(batch.tensors[HOOK], expected, atol=2e-5, rtol=1e-4)
            assert batch.rows.example.tolist() == whole.rows.example[batch.numbers].tolist()
        assert (seen == 1).all()


def test_head_out_keeps_its_heads(model, data):
    found = extract(model, data, hooks="head_out", layers=0)
    info = model.info
    assert found.tensor("blocks.0.head_out").shape == (len(data), info.n_heads, info.d_head)


def test_texts_are_accepted_and_dtype_is_kept(model):
    found = extract(model, ["one", "two words"], layers=[0, -1], dtype="bfloat16")
    assert [str(hook) for hook in found.hooks] == ["blocks.0.resid_post", "blocks.2.resid_post"]
    assert found.tensor(found.hooks[0]).dtype == torch.bfloat16
    assert found.rows.example.tolist() == ["0", "1"]
    assert found.origin.dtype == "bfloat16"


def test_edits_pass_through_and_are_named(model, data):
    hook = parse_hook_point("blocks.0.resid_post")
    edit = Add(hook, torch.ones(model.info.d_model), 2.0)
    plain = extract(model, data, layers=0)
    edited = extract(model, data, layers=0, edits=[edit])
    torch.testing.assert_close(edited.tensor(hook), plain.tensor(hook) + 2)
    assert plain.origin.edits == ""
    assert edited.origin.edits.startswith("add blocks.0.resid_post ")
    other = extract(model, data, layers=0, edits=[Add(hook, torch.ones(model.info.d_model), 3.0)])
    assert other.origin.edits != edited.origin.edits


@pytest.mark.parametrize(
    "edit",
    [
        Add(HOOK, torch.ones(3, 32)),
        Add(HOOK, torch.ones(32), torch.ones(3)),
        Add(HOOK, torch.ones(32), scope=Scope(rows=torch.ones(3, dtype=torch.bool))),
    ],
)
def test_an_edit_of_its_own_for_each_row_is_refused(model, data, edit):
    with pytest.raises(SondeError, match="differs between the rows"):
        extract(model, data, edits=[edit])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_rows_that_are_not_finite_are_dropped_and_listed(model, data, monkeypatch, value):
    whole = extract(model, data)
    break_rows(monkeypatch, HOOK, {4, 17}, value)
    found = extract(model, data, max_nonfinite=0.1)
    kept = [e.id for e in data if e.id not in ("s4", "s17")]
    assert found.rows.example.tolist() == kept
    assert [(s.example, s.reason) for s in found.skipped] == [
        ("s4", "non-finite"),
        ("s17", "non-finite"),
    ]
    assert "blocks.1.resid_post" in found.skipped[0].detail
    mask = torch.tensor([e.id in kept for e in data])
    for hook in found.hooks:
        assert torch.equal(found.tensor(hook), whole.tensor(hook)[mask])


def test_too_many_of_them_stop_the_run_with_the_place_and_the_remedy(model, data, monkeypatch):
    break_rows(monkeypatch, HOOK, {4, 17}, float("nan"))
    with pytest.raises(SondeError, match=r"blocks\.1\.resid_post \(1\).*float32"):
        extract(model, data, max_nonfinite=0.01)


def test_float16_overflow_is_found_and_explained(data):
    model = tiny_model()
    with torch.no_grad():
        model.hf.get_input_embeddings().weight *= 1e6
    with pytest.raises(SondeError, match=r"65,504"):
        extract(model, data, dtype="float16", layers=0, positions="user[0]")


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate"),
        MemoryError(),
    ],
)
def test_out_of_memory_splits_and_the_next_plan_knows(model, data, monkeypatch, error):
    whole = extract(model, data, layers=1)
    failed = limited_memory(monkeypatch, 400, error)
    batches = stream(model, data, layers=1, token_budget=None)
    rows = sum(len(batch.numbers) for batch in batches)
    assert rows == len(data) and failed and batches.plan.splits > 0
    again = len(failed)
    found = extract(model, data, layers=1)
    torch.testing.assert_close(found.tensor(HOOK), whole.tensor(HOOK), atol=2e-5, rtol=1e-4)
    assert len(failed) == again, "what the first run learnt served the second"
    learnt = learnt_budget(model.info.fingerprint, model.device, 1)
    assert learnt is not None and learnt <= 400


def test_an_example_that_never_fits_is_skipped_with_the_reason(model, data, monkeypatch):
    longest = max(len(model.render(example).ids) for example in data)
    limited_memory(monkeypatch, longest - 1, MemoryError())
    found = extract(model, data, layers=1, token_budget=300)
    out = {s.example for s in found.skipped}
    assert out and all(s.reason == "out of memory" for s in found.skipped)
    assert set(found.rows.example) | out == {example.id for example in data}


def test_other_errors_of_a_pass_are_not_hidden(model, data, monkeypatch):
    limited_memory(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        extract(model, data)


def test_missing_positions_are_errors_or_counted(model):
    data = [Example("a", "one", "answer"), Example("b", "two", row="file.csv, row 3")]
    with pytest.raises(SondeError, match=r"file.csv, row 3: position response"):
        extract(model, data, positions="response[-1]")
    found = extract(model, data, positions="response[-1]", missing_position="skip")
    assert found.rows.example.tolist() == ["a"]
    assert [(s.example, s.reason) for s in found.skipped] == [("b", "missing position")]
    with pytest.raises(SondeError, match="None of the 1 examples"):
        extract(model, data[1:], positions="response[-1]", missing_position="skip")


def test_too_long_is_an_error_or_skipped_or_truncated_and_counted(model):
    data = ["short", "word " * model.info.context]
    with pytest.raises(SondeError, match="context"):
        extract(model, data)
    skipped = extract(model, data, too_long="skip")
    assert [(s.example, s.reason) for s in skipped.skipped] == [("1", "too long")]
    shortened = extract(model, data, too_long="truncate_left")
    assert len(shortened.rows) == 2 and shortened.truncated == 1


def test_turns_are_positions(model):
    turns = (Message("user", "hello"), Message("assistant", "hi"), Message("user", "bye"))
    found = extract(model, [Example("a", turns)], positions=["turn[0]", "turn[1].each"])
    assert found.rows.position.tolist() == ["turn[0].mean", "turn[1].each", "turn[1].each"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hoks": "resid_post"}, "Did you mean 'hooks'"),
        ({"hooks": "resid_pots"}, "Did you mean 'resid_post'"),
        ({"layers": 3}, "outside the model"),
        ({"positions": "prompt[999]"}, "outside the example"),
        ({"positions": ["prompt[-1]", "prompt[ -1 ]"]}, "twice"),
        ({"token_budget": 0}, "token_budget"),
    ],
)
def test_a_wrong_setting_is_named(model, data, settings, message):
    with pytest.raises(SondeError, match=message):
        extract(model, data, **settings)


def test_settings_and_keywords_combine(model, data):
    settings = ExtractSettings(layers=(0, 1), positions="user[0]")
    found = extract(model, data, settings, layers=2)
    assert [str(hook) for hook in found.hooks] == ["blocks.2.resid_post"]
    assert set(found.rows.position) == {"user[0]"}


def test_many_lengths_keep_every_example(model):
    data = sentences(200, seed=3)
    found = extract(model, data, layers=0)
    assert found.rows.example.tolist() == [example.id for example in data]


@pytest.mark.parametrize("layers", [True, [0, True]])
def test_a_flag_is_no_layer(model, data, layers):
    with pytest.raises(SondeError, match=r"layers: .*a layer is a number such as 12"):
        extract(model, data, layers=layers)


def test_activations_introduce_themselves_in_a_line(model):
    found = extract(model, ["one", "two"], layers=[0, 1])
    assert len(found) == 2
    assert repr(found) == "ActivationsInMemory(2 rows, 2 hooks)"
