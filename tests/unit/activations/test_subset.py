"""The common part of two extractions: equal items, and a reason for every other."""

import numpy as np
import pytest
import torch

from sonde.activations.activations import ActivationsInMemory, RowTable, Skipped
from sonde.activations.origin import Origin
from sonde.activations.subset import in_common
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site

HOOK = HookPoint(3, Site.RESID_POST)


def acts(names, skipped=()):
    n = len(names)
    number = np.arange(n, dtype=np.int32)
    rows = RowTable(
        np.array(names), np.full(n, "prompt[-1]"), number, number, number * 0 + 1, number, number,
        np.full(n, ""),
    )  # fmt: skip
    tensor = torch.arange(n, dtype=torch.float32)[:, None].expand(n, 4)
    return ActivationsInMemory({HOOK: tensor}, rows, Origin(), tuple(skipped))


def test_the_common_examples_are_kept_and_the_others_have_reasons():
    one = acts(["a", "b", "c", "c", "d"], [Skipped("z", "empty text")])
    other = acts(["d", "a", "x"], [Skipped("c", "too long")])
    found = in_common(one, {"instruct": other})
    assert found.rows.example.tolist() == ["a", "d"]
    assert found.rows.token.tolist() == [0, 4]
    assert found.tensor(HOOK)[:, 0].tolist() == [0, 4]
    assert len(found) == 2
    assert [(it.example, it.reason) for it in found.skipped] == [
        ("z", "empty text"), ("b", "not in instruct"), ("c", "too long in instruct"),
    ]  # fmt: skip


def test_several_others_and_nothing_lost():
    one = acts(["a", "b", "c"])
    found = in_common(one, {"x": acts(["a", "b"]), "y": acts(["b", "c"])})
    assert found.rows.example.tolist() == ["b"]
    assert {it.example: it.reason for it in found.skipped} == {"c": "not in x", "a": "not in y"}
    assert in_common(one, {"x": acts(["c", "b", "a"])}) is one


def test_nothing_in_common():
    with pytest.raises(SondeError, match="None of the 2 examples is in x too"):
        in_common(acts(["a", "b"]), {"x": acts(["c"])})
