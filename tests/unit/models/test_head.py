"""The head by itself gives the whole model's logits, in every family."""

import pytest
import torch
from torch.testing import assert_close

from sonde.models.families import FAMILIES
from sonde.models.head import head_logits
from sonde.models.tiny import tiny_model


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_the_whole_models(family: str) -> None:
    changes = {"final_logit_softcapping": 2.0} if family.startswith("gemma") else {}
    model = tiny_model(family, **changes)
    ids = torch.tensor([list(b"some text")])
    with torch.no_grad():
        want = model.hf(input_ids=ids, use_cache=False).logits
        hidden = model.decoder(input_ids=ids, use_cache=False).last_hidden_state
        assert_close(head_logits(model, hidden), want)


def test_logits_of_a_wrapped_text_model() -> None:
    model = tiny_model("gemma3", wrapped=True, final_logit_softcapping=2.0)
    ids = torch.tensor([list(b"some text")])
    with torch.no_grad():
        want = model.hf(input_ids=ids, use_cache=False).logits
        hidden = model.decoder(input_ids=ids, use_cache=False).last_hidden_state
        assert_close(head_logits(model, hidden), want)
