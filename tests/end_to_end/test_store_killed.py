"""A run that is killed at any moment, and then run again, ends byte for byte as if it had not."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "activations"))
from tiny_runs import sentences, tiny_model

from sonde.activations import ActivationStore, extract, verify_store, writer
from sonde.activations.manifest import read_manifest

FORK = multiprocessing.get_context("fork")
KILLS = 10


@pytest.fixture(scope="module")
def made():
    """A tiny model, 120 examples, and shards so small that there are about a dozen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SHARD_BYTES", 20 * 3 * 32 * 4)
        yield tiny_model(), sentences(120)


def run(folder: Path, made) -> None:
    model, data = made
    positions = ["prompt[-1]", "user.mean"]
    extract(model, data, positions=positions, token_budget=300, out=folder, progress=False)


def killed_at_sync(folder: Path, made, number: int) -> None:
    """Run in a process that kills itself instead of its ``number``-th sync of a file or folder."""
    real, left = os.fsync, [number]

    def fsync(handle):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    os.fsync = fsync
    run(folder, made)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The files of a run that nothing interrupted, and its seconds."""
    begun = time.monotonic()
    run(tmp_path_factory.mktemp("whole") / "store", made)
    seconds = time.monotonic() - begun
    return contents(next(tmp_path_factory.getbasetemp().glob("whole*/store"))), seconds


def finished_shards(folder: Path) -> int:
    if not (folder / "manifest.json").exists():
        return 0
    return sum(shard is not None for shard in read_manifest(folder).shards)


def test_killed_at_ten_random_moments(tmp_path, made, whole):
    expected, seconds = whole
    folder = tmp_path / "store"
    progress: list[int] = []
    for moment in np.random.default_rng(0).uniform(0, seconds, KILLS):
        process = FORK.Process(target=run, args=(folder, made))
        process.start()
        time.sleep(moment)
        process.kill()
        process.join()
        progress.append(finished_shards(folder))
    assert progress == sorted(progress)  # what is finished stays finished
    run(folder, made)
    assert contents(folder) == expected
    assert verify_store(folder) == []
    assert len(ActivationStore.open(folder)) == 240


@pytest.mark.parametrize("number", [1, 2, 3, 5, 9, 12, 30])
def test_killed_between_a_write_and_its_rename(tmp_path, made, whole, number):
    folder = tmp_path / "store"
    process = FORK.Process(target=killed_at_sync, args=(folder, made, number))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert contents(folder) != whole[0]
    run(folder, made)
    assert contents(folder) == whole[0]
    assert verify_store(folder) == []
