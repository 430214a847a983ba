"""The self-check finds wrong conventions, refuses what they touch, and remembers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from sonde.core.errors import SondeError
from sonde.core.hooks import FORWARD_ORDER, Site
from sonde.models import self_check as module
from sonde.models.evidence import relative_error, sum_error
from sonde.models.loading import load
from sonde.models.model import Model
from sonde.models.self_check import checked, self_check
from sonde.models.tiny import tiny_model


def mistaken(family: str, **changes: object) -> Model:
    """Return a model whose family entry says something wrong about it."""
    model = tiny_model(family)
    return replace(model, family=replace(model.family, **changes))


@pytest.mark.parametrize(
    ("family", "changes", "refused"),
    [
        ("gemma2", {"attn_post_norm": None}, {Site.ATTN_OUT, Site.RESID_MID}),
        ("gemma3", {"mlp_post_norm": None}, {Site.MLP_OUT, Site.RESID_MID}),
        ("gemma", {"neutral_gain": 1.0}, {Site.MLP_NORMED_UNGAINED}),
        ("llama", {"neutral_gain": 0.0}, {Site.MLP_NORMED_UNGAINED}),
        ("gpt_neox", {"parallel": False}, {Site.RESID_MID, Site.ATTN_OUT}),
        ("gpt_neox_sequential", {"parallel": True}, set()),
        ("llama", {"attn_projection": "self_attn.q_proj"}, {Site.HEAD_OUT}),
        ("llama", {"mlp_norm": "input_layernorm"}, {Site.RESID_MID}),
        ("qwen2", {"mlp": "mlp.down_proj"}, {Site.MLP_NORMED}),
        ("olmo2", {"mlp_norm": "post_feedforward_layernorm"}, {Site.RESID_MID}),
    ],
)
def test_a_wrong_entry_is_found(
    family: str, changes: dict[str, object], refused: set[Site]
) -> None:
    found = self_check(mistaken(family, **changes))
    if refused:
        assert not found.passed
        assert refused <= set(found.refused), found.refused
    else:
        # Sequential blocks also satisfy the sum of three terms: that entry only offers less.
        assert Site.RESID_MID not in tiny_model(family).family.sites or found.passed


def test_an_edit_that_misses_the_residual_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing the norm another tensor leaves the branch around the MLP as it was."""
    model = tiny_model("llama")
    monkeypatch.setattr(torch.Tensor, "copy_", lambda _, other: other)
    found = self_check(model)
    monkeypatch.undo()
    assert set(found.refused) == {Site.RESID_MID}
    assert "sum after the MLP" in found.refused[Site.RESID_MID]


def test_attention_to_padding_is_found() -> None:
    model = tiny_model("llama")
    for block in model.blocks:
        block.self_attn.is_causal = False
    found = self_check(model)
    (check,) = [item for item in found.checks if "padded batch" in item.name]
    assert not check.passed
    assert set(found.refused) == set(FORWARD_ORDER)


def test_refused_sites_cannot_be_asked_for() -> None:
    model = checked(mistaken("gemma2", attn_post_norm=None))
    with pytest.raises(SondeError, match="failed the self-check"):
        model.hook_points("attn_out")
    assert model.hook_points("resid_post")
    assert checked(tiny_model("gemma2")).refused == {}


def test_a_check_that_cannot_be_carried_out_has_failed() -> None:
    model = tiny_model("llama")
    model.blocks[1].mlp = nn.Identity()
    model.blocks[1].mlp.forward = lambda x: x[:, :0]
    found = self_check(model)
    assert not found.passed
    assert set(found.refused) == set(FORWARD_ORDER)


def test_a_tokenizer_of_another_model_is_found() -> None:
    model = tiny_model("llama", vocab_size=300)
    small = replace(model, info=model.info.model_copy(update={"d_vocab": 50}))
    found = self_check(small)
    assert not found.passed
    assert "belongs to the model" in found.checks[0].detail


def test_attention_sinks_are_found_by_norm() -> None:
    model = tiny_model("llama")
    (byte,) = model.tokenizer("F")["input_ids"]  # of "The capital of France", and nowhere else
    with torch.no_grad():
        model.hf.get_input_embeddings().weight[byte] *= 1000
    (check,) = [item for item in self_check(model).checks if item.name == "attention sinks"]
    assert check.passed
    assert (check.numbers["largest ratio"] or 0) > 100
    assert "at position 15:" in check.detail


def test_a_doubled_beginning_is_found() -> None:
    model = tiny_model("llama")
    tokenizer = model.tokenizer
    tokenizer.bos_token = "<|im_start|>"
    tokenizer.chat_template = "{{ bos_token }}{{ bos_token }}" + tokenizer.chat_template
    (check,) = [item for item in self_check(model).checks if "doubled" in item.name]
    assert not check.passed
    assert check.sites == ()


def test_results_are_kept_for_the_same_weights_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path))
    model = tiny_model("llama")
    self_check(model)
    assert not list(tmp_path.rglob("*.json"))  # nothing tells such a model from another
    known = replace(model, info=model.info.model_copy(update={"fingerprint": "f00d"}))
    first = self_check(known)
    (path,) = tmp_path.rglob("*.json")
    monkeypatch.setattr(module, "gather_evidence", lambda _: pytest.fail("checked again"))
    assert self_check(known) == first
    monkeypatch.undo()
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path))
    path.write_text("{half")
    assert self_check(known).passed  # what cannot be read is made again
    other = replace(model, info=model.info.model_copy(update={"fingerprint": "beef"}))
    self_check(other)
    assert len(list(tmp_path.rglob("*.json"))) == 2


def test_errors_by_hand() -> None:
    a, b = torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert relative_error(a, b).tolist() == [0.0, 0.5]
    assert sum_error(
        [torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 1.0]])], torch.tensor([[2.0, 1.0]])
    ) == pytest.approx(1 / 3)


def test_the_embedded_model_passes_and_its_first_token_is_a_sink(embedded_name: str) -> None:
    model = load(embedded_name, check=False)
    found = self_check(model, fresh=True)
    assert found.passed, [check for check in found.checks if not check.passed]
    (sinks,) = [check for check in found.checks if check.name == "attention sinks"]
    assert "at position 0:" in sinks.detail
    assert 100 < (sinks.numbers["largest ratio"] or 0) < 200
