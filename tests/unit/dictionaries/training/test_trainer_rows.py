"""What the loop makes of rows that lie on another device, and of such as make a loss infinite."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from sonde.activations.row_batches import RowBatch, TensorRows
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.training import Resampling, Running, Training, train

sys.path.insert(0, str(Path(__file__).parent))
import resumed_training as small

NESTED = {"nested": small.DICTIONARIES["nested"]}


@dataclass(frozen=True, eq=False)
class Far(RowBatch):
    """Rows that lie where nothing can be computed with them, until they are brought near."""

    near: RowBatch

    def to(self, device):
        assert torch.device(device).type == "cpu"
        return self.near


class FarRows(TensorRows):
    def batches(self, start=0):
        yield from map(far, super().batches(start))


def far(batch):
    away = batch.to("meta")
    assert {x.device.type for x in (*away.tensors.values(), away.token)} == {"meta"}
    return Far(away.tensors, away.token, batch)


def test_rows_are_brought_to_where_the_dictionaries_are():
    plain = small.source()
    held_out = next(plain.batches())
    cases = (
        (plain, held_out),
        (FarRows(plain.tensors, plain.batch, plain.epochs), far(held_out)),
    )
    one, other = (
        train(
            rows,
            NESTED,
            small.RECIPE,
            samples=SampleSettings(every=7, per_latent=5),
            running=Running(log=10, progress=False),
            held_out=unseen,
        )["nested"]
        for rows, unseen in cases
    )
    assert one.history == other.history and "held_out/fvu" in one.history[-1]
    for name, weight in one.dictionary.state_dict().items():
        assert torch.equal(other.dictionary.state_dict()[name], weight), name
    for name, kept in one.samples.tensors().items():
        assert torch.equal(other.samples.tensors()[name], kept), name


def test_rows_that_are_there_are_not_copied():
    batch = next(small.source().batches())
    same = batch.to("cpu")
    assert same.token is batch.token
    assert all(same.tensors[hook] is x for hook, x in batch.tensors.items())


class Overflowing(TensorRows):
    def batches(self, start=0):
        target = parse_hook_point(small.WRITTEN)
        for number, batch in enumerate(super().batches(start), start):
            bad = torch.full_like(batch.tensors[target], torch.inf)
            yield RowBatch({**batch.tensors, target: bad}, batch.token) if number == 7 else batch


def test_an_infinite_loss_is_named_where_latents_begin_again():
    """Rows cannot be drawn by an infinite error; what stops the run is the loss of that step."""
    plain = small.source()
    source = Overflowing(plain.tensors, plain.batch)
    recipe = Training(dead_after=1, resampling=Resampling(every=4))
    with pytest.raises(SondeError, match=r"nested became inf at step 7, by batch 7 of the source"):
        train(source, NESTED, recipe, running=Running(progress=False))
