"""The loop: killed at any moment it ends alike, it stops at NaN, several train as one alone."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from sonde.activations.row_batches import RowBatch, TensorRows
from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import TopK
from sonde.dictionaries.metrics import fvu
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import Running, Training, train
from sonde.dictionaries.training.trainee import Trainee

sys.path.insert(0, str(Path(__file__).parent))
import resumed_training as small

PROGRAM = Path(__file__).with_name("resumed_training.py")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The training that was never interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield small.run(folder), folder
    torch.set_num_threads(threads)


def contents(folder):
    last = sorted(folder.iterdir())[-1]
    return {one.name: sha256_file(one) for one in last.iterdir()}


def test_a_run_killed_at_any_moment_ends_with_the_same_weights(whole, tmp_path):
    """Kill -9 at some moments, then go on to the end: every byte is alike.

    ``KILLS`` says how many, ``KILL_SEED`` which, ``STORED`` how many steps are between checkpoints.
    """
    rng = np.random.default_rng(int(os.environ.get("KILL_SEED", "0")))
    command = [sys.executable, str(PROGRAM), str(tmp_path)]
    first = {}
    for kill in range(int(os.environ.get("KILLS", "2"))):
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if steps_in(tmp_path) != first.get("steps", []):
                    time.sleep(rng.uniform(0, 0.1))  # any moment after the next checkpoint
                    break
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, f"kill {kill} came after the end"
        first["steps"] = steps_in(tmp_path)
        assert first["steps"], f"kill {kill} came before the first checkpoint"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == contents(whole[1])


def steps_in(folder):
    return sorted(one.name for one in folder.iterdir() if one.name.startswith("step-"))


def test_a_finished_training_is_read_back_without_a_step(whole):
    found, folder = whole
    again = small.run(folder)
    for name, one in found.items():
        assert again[name].history == one.history
        for a, b in zip(again[name].dictionary.state_dict().values(),
                        one.dictionary.state_dict().values(), strict=True):  # fmt: skip
            assert torch.equal(a, b)


def test_several_dictionaries_train_as_each_alone(whole):
    alone = train(
        small.source(),
        {"nested": small.DICTIONARIES["nested"]},
        small.RECIPE,
        running=Running(log=10, progress=False),
    )["nested"]
    together = whole[0]["nested"]
    assert alone.history == together.history
    for a, b in zip(alone.dictionary.state_dict().values(),
                    together.dictionary.state_dict().values(), strict=True):  # fmt: skip
        assert torch.equal(a, b)


def test_what_is_logged_goes_to_the_trackers_too(whole):
    seen = {}
    running = Running(log=40, progress=False, track=lambda row, step: seen.update({step: row}))
    found = train(small.source(), small.DICTIONARIES, small.RECIPE, running=running)
    assert sorted(seen) == [0, 40, 80, 119]
    assert seen[80]["sae/fvu"] == found["sae"].history[2]["fvu"]
    assert {"loss", "fvu", "l0", "dead", "lr", "loss/reconstruction"} <= set(
        found["sae"].history[0]
    )


def test_what_training_never_sees_is_watched_and_changes_nothing(whole):
    generator = torch.Generator().manual_seed(7)
    unseen = {
        hook: torch.randn(50, width, generator=generator) + 1
        for hook, width in small.source().widths.items()
    }
    found = train(
        small.source(),
        small.DICTIONARIES,
        small.RECIPE,
        running=Running(log=10, progress=False),
        held_out=RowBatch(unseen, torch.arange(50)),
    )
    for name, one in found.items():
        made_of, (written,) = (
            one.dictionary.architecture.sources,
            one.dictionary.architecture.outputs,
        )
        target, last = unseen[parse_hook_point(written)], one.history[-1]
        with torch.no_grad():
            made = one.dictionary(*(unseen[parse_hook_point(hook)] for hook in made_of))
        assert last["held_out/fvu"] == pytest.approx(float(fvu(target, made.targets[0])), rel=1e-4)
        assert len({row["held_out/fvu"] for row in one.history}) == len(one.history)
        without = [
            {key: value for key, value in row.items() if not key.startswith("held_out/")}
            for row in one.history
        ]
        assert without == list(whole[0][name].history)
    assert {"held_out/fvu_prefix_1", "held_out/fvu_prefix_2"} <= set(found["nested"].history[-1])


@dataclass(frozen=True, eq=False)
class Poisoned(TensorRows):
    """Rows of which one batch holds a NaN."""

    def batches(self, start=0):
        for number, batch in enumerate(super().batches(start), start):
            if number == 33:
                bad = {hook: x * torch.nan for hook, x in batch.tensors.items()}
                yield RowBatch(bad, batch.token)
            else:
                yield batch


def test_a_loss_that_turns_nan_stops_and_says_where(tmp_path):
    plain = small.source()
    source = Poisoned(plain.tensors, plain.batch, plain.epochs)
    with pytest.raises(
        SondeError,
        match=r"The loss of sae became nan at step 33, by batch 33 of the source\. The last good "
        r"checkpoint, of step 30, is kept\. Lower the learning rate",
    ):
        train(
            source,
            small.DICTIONARIES,
            small.RECIPE,
            running=Running(tmp_path, store=15, progress=False),
        )
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["step-000000015", "step-000000030"]


def test_weights_that_turn_nan_behind_a_finite_loss_are_not_stored(tmp_path, monkeypatch):
    """TopK never takes a NaN, so the loss of a dictionary with a broken latent stays finite."""
    step = Trainee.step

    def breaking(self, sources, targets, number):
        loss = step(self, sources, targets, number)
        if number == 20 and len(self.dictionary.parts[0].bias) == 64:
            self.dictionary.parts[0].encoder.data[3] = torch.nan
        return loss

    monkeypatch.setattr(Trainee, "step", breaking)
    with pytest.raises(
        SondeError,
        match=r"Weights of \w+ are NaN or infinite after step 29\. The last good checkpoint, of "
        r"step 15, is kept",
    ):
        train(
            small.source(),
            {"sae": small.DICTIONARIES["sae"]},
            Training(lr=0.003),
            running=Running(tmp_path, store=15, progress=False),
        )
    assert [one.name for one in tmp_path.iterdir()] == ["step-000000015"]


def test_mistakes_are_named_before_training():
    source = small.source()
    with pytest.raises(SondeError, match=r"no activations at blocks\.3\.resid_post\. There are"):
        asked = DictionarySettings(sources=("blocks.3.resid_post",), d_sae=64)
        train(source, {"one": asked}, Training())
    with pytest.raises(SondeError, match="The dictionary one is not valid: k is 32, and there are"):
        train(source, {"one": DictionarySettings(sources=(small.READ,), expansion=0.5)}, Training())
    with pytest.raises(SondeError, match="k_start is 65, and sae has 64 latents"):
        recipe = Training(k_start=65, k_steps=10)
        train(source, {"sae": small.DICTIONARIES["sae"]}, recipe)
    with pytest.raises(SondeError, match="No dictionary is named"):
        train(source, {}, Training())
    constant = TensorRows({parse_hook_point(small.READ): torch.ones(300, 4)}, 100)
    asked = DictionarySettings(sources=(small.READ,), d_sae=8, sparsity=TopK(k=2))
    broken = TensorRows({parse_hook_point(small.READ): torch.full((300, 4), torch.nan)}, 100)
    with pytest.raises(SondeError, match=r"Of the 300 first rows at .* some hold NaN"):
        train(broken, {"one": asked}, Training())
    with pytest.raises(SondeError, match=r"first rows at blocks\.0\.resid_mid are the same"):
        train(constant, {"one": asked}, Training())
