"""Token tasks run: rows equal to the plain forward pass, and the same when read again."""

import numpy as np
import pytest
import torch
from tiny_runs import break_rows

from sonde.activations.token_picking import asked_of, pick_rows
from sonde.activations.token_rows import load_rows, save_rows
from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.activations.token_tasks import Source, TokenActivations, read_rows, token_task
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.data.text_folders import Document, TextFolder

LETTERS = np.array(list("aaabbcd e"))


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    documents = [Document(f"f{n}.txt", "".join(rng.choice(LETTERS, 50 + n))) for n in range(12)]
    return TextFolder("letters", tuple(documents), ())


def settings(**given):
    base = {"texts": "letters", "tokens": "c", "context": 16, "rows": 40, "layers": [0, 1]}
    return TokenTaskSettings.model_validate(base | given)


def picked(model, texts, **given):
    chosen = settings(**given)
    asked = asked_of(model.tokenizer, model.info.context, texts, chosen)
    return pick_rows(asked, chosen)


@pytest.mark.parametrize("task", ["next", "current"])
def test_rows_are_those_of_a_plain_pass_over_whole_chunks(model, texts, task):
    rows, facts = picked(model, texts, task=task)
    found = read_rows(rows, facts, Source(lambda: model, settings().reading()))
    assert len(found) == 40
    assert found.picked.label.sum() == 20
    texts_of = {one.name: one.text for one in texts.documents}
    for place in (0, 7, 39):
        name, number = str(found.rows.example[place]).split("#")
        own = model.tokenizer(texts_of[name])["input_ids"][16 * int(number) :]
        token = int(found.rows.token[place])
        assert found.rows.token_id[place] == own[token]
        asked = own[token + (task == "next")]
        assert (model.tokenizer.decode([asked]) == "c") == found.picked.label[place]
        assert found.rows.group[place] == name
        with torch.no_grad():
            hidden = model.hf(torch.tensor([own[:16]]), output_hidden_states=True).hidden_states
        got = found.tensor("blocks.0.resid_post")[place]
        torch.testing.assert_close(got, hidden[1][0, token], rtol=1e-4, atol=1e-5)


def test_what_was_saved_is_read_again_by_another_process(model, texts, tmp_path):
    rows, facts = picked(model, texts)
    source = Source(lambda: model, settings().reading())
    found = read_rows(rows, facts, source)
    save_rows(found.picked, found.facts, tmp_path)
    again = TokenActivations(*load_rows(tmp_path), found.origin, source)
    assert again.picked.fingerprint == rows.fingerprint
    assert again.labels.tolist() == found.labels.tolist()
    for hook in found.hooks:
        assert torch.equal(again.tensor(hook), found.tensor(hook))
    other = again.origin.model_copy(update={"model_fingerprint": "another"})
    with pytest.raises(SondeError, match="gives others"):
        TokenActivations(rows, facts, other, source).tensor("blocks.0.resid_post")
    with pytest.raises(SondeError, match=r"no activations at blocks\.1\.mlp_out"):
        again.tensor("blocks.1.mlp_out")


def test_one_call_reads_a_folder(model, texts, tmp_path):
    for one in texts.documents:
        (tmp_path / one.name).write_text(one.text)
    (tmp_path / "image.png").write_bytes(b"no text")
    given = {"texts": str(tmp_path), "tokens": "c", "context": 16, "rows": 40}
    found = token_task(model, **given, progress=False)
    assert found.facts.left_out == {"other ending": 1}
    assert set(found.labels.tolist()) == {"other", "target 'c'"}
    with pytest.raises(SondeError, match=r"token task's settings.*contxt is not a key"):
        token_task(model, **given, contxt=3)


def test_rows_that_are_not_finite_lose_their_labels_too(model, texts, monkeypatch):
    rows, facts = picked(model, texts)
    break_rows(monkeypatch, parse_hook_point("blocks.1.resid_post"), {2}, float("nan"))
    source = Source(lambda: model, settings().reading().model_copy(update={"max_nonfinite": 0.5}))
    found = read_rows(rows, facts, source)
    assert len(found) == found.facts.rows == 39
    assert [one.reason for one in found.skipped] == ["non-finite"]
    assert found.tensor("blocks.0.resid_post").shape[0] == len(found.labels) == 39


def test_the_facts_say_what_always_saying_no_is_worth(model, texts):
    rows, facts = picked(model, texts, sampling="natural", rows=100)
    rate = facts.natural_rate
    assert rate == facts.positives / facts.asked
    assert 0.05 < rate < 0.2
    assert f"right for {1 - rate:.2%} of tokens there" in str(facts)
    assert f"{1 - rows.label.mean():.2%} of these, with a balanced accuracy of 0.5" in str(facts)
    assert facts.target == "target 'c'"
    assert facts.tokens_run == len(rows.ids) <= facts.tokens


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tokens": "cd"}, "'cd' is 2 tokens"),
        ({"tokens": "z"}, "0 precede 'z', in 0 files; folds that never split a file need 3"),
        ({"context": 100_000}, "Chunks of 100,000 tokens were asked for, and the model reads"),
        ({"tokens": ["a", "b", "c", "d", "e", " "], "task": "current"}, "0 are not 'a', 'b', 'c'"),
    ],
)
def test_what_cannot_be_asked_is_named(model, texts, given, said):
    with pytest.raises(SondeError, match=said):
        picked(model, texts, **given)


@pytest.mark.parametrize("given", [{"tokens": ()}, {"tokens": ""}, {"hooks": "resid"}])
def test_settings_are_checked_before_anything_is_read(given):
    with pytest.raises(ValueError, match=r"name at least one token|is not a site"):
        settings(**given)
