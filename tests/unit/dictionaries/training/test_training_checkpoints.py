"""Checkpoints are whole or absent, the last few stay, and another configuration is refused."""

import errno

import pytest
import torch
from safetensors import SafetensorError

from sonde.core.errors import SondeError
from sonde.dictionaries.training.checkpoints import Checkpoints

TENSORS = {"one": {"a": torch.arange(6.0).reshape(2, 3)}, "two": {"b": torch.tensor(3)}}


def test_what_is_stored_comes_back_and_the_last_few_stay(tmp_path):
    found = Checkpoints(tmp_path / "c", {"seed": 1, "lr": 0.1}, keep=2)
    assert found.latest() is None
    for step in (10, 20, 30):
        found.save(step, TENSORS, {"history": [step]})
    assert found.steps() == [10, 20, 30]  # those who store together tidy once all have stored
    found.tidy()
    assert found.steps() == [20, 30]
    latest = found.latest()
    assert latest.step == 30 and latest.facts == {"history": [30]}
    assert torch.equal(latest.tensors["one"]["a"], TENSORS["one"]["a"])
    assert latest.tensors["two"]["b"].dtype == torch.int64


def test_another_configuration_is_refused_by_what_differs(tmp_path):
    Checkpoints(tmp_path, {"training": {"lr": 0.1, "clip": 1.0}}).save(5, TENSORS, {})
    with pytest.raises(SondeError, match=r"training\.lr 0\.1 there, 0\.2 here\."):
        Checkpoints(tmp_path, {"training": {"lr": 0.2, "clip": 1.0}}).latest()


@pytest.mark.parametrize(
    "full_disk",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch, full_disk):
    found = Checkpoints(tmp_path, {})
    found.save(5, TENSORS, {})

    def full(tensors, path):
        path.write_bytes(b"half")
        raise full_disk

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(
        SondeError, match=r"The disk is full: .*step-000000010 could not be written"
    ):
        found.save(10, TENSORS, {})
    assert found.steps() == [5]
    assert [one.name for one in tmp_path.iterdir()] == ["step-000000005"]


def test_what_a_kill_left_half_written_is_not_a_checkpoint(tmp_path):
    found = Checkpoints(tmp_path, {})
    found.save(5, TENSORS, {})
    (tmp_path / ".step-000000010.99.tmp").mkdir()
    assert found.steps() == [5]


def test_what_killed_processes_left_is_removed_with_what_is_too_many(tmp_path):
    for step in (5, 10):
        Checkpoints(tmp_path, {}, keep=9).save(step, TENSORS, {})
    for left in (".step-000000010.99.tmp", ".step-000000015.98.tmp"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "one.safetensors").write_bytes(b"half")
    Checkpoints(tmp_path, {}, keep=1).tidy()
    assert [one.name for one in tmp_path.iterdir()] == ["step-000000010"]


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    found = Checkpoints(tmp_path, {})
    path = found.save(5, TENSORS, {})
    (path / "one.safetensors").write_bytes(b"nonsense")
    with pytest.raises(SondeError, match=r"cannot be read.*Delete the folder step-000000005"):
        found.latest()
