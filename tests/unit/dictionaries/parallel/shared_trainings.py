"""Trainings by several processes that store, stop, go on and fail, and all that is compared."""

import shutil

import torch
from shared_steps import (
    CASES,
    COURSES,
    architecture,
    course,
    dictionary_and_rows,
    step,
    tied_choices,
)

from sonde.activations.row_batches import TensorRows
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.parallel import train_together
from sonde.dictionaries.training.course import Running
from sonde.dictionaries.training.settings import AuxK, Training


def trained(share, folder, lr=0.01):
    """Train by ``train_together``, with checkpoints, and say what came of it."""
    made = architecture("skip transcoder", "batch topk by norm", "Matryoshka")
    _, sources, targets = dictionary_and_rows(made)
    hooks = [parse_hook_point(hook) for hook in (*made.sources, *made.outputs)]
    rows = dict(zip(hooks, [x.float() for x in (*sources, *targets)], strict=True))
    training = Training(lr=lr, aux=AuxK(k=3), dead_after=20, clip=None, decay="none")
    running = Running(folder=folder, store=5, log=2, progress=False)
    source = TensorRows(rows, batch=4, epochs=4)
    found = train_together(source, made, training, share, running)
    assert found.steps == source.n_batches == 12
    return found


def stopped_and_gone_on(share, folder):
    """Lose one shard's last checkpoint, as a kill between two writes does, and train again."""
    first = trained(share, folder)
    if share.everyone.rank == share.everyone.world - 1:
        (last,) = folder.glob(f"shard-{share.latents.world - 1}-of-*/step-000000012")
        shutil.rmtree(last)
    share.everyone.count(1)
    again = trained(share, folder)
    log = {"log": torch.tensor([n for row in first.history for n in row.values()])}
    assert first.history == again.history
    for name, one in (("first", first), ("again", again)):
        state = one.dictionary.state_dict() if one.dictionary is not None else {}
        log |= {f"{name} {key}": value for key, value in state.items()}
    return log


def lost(share, folder):
    """Return what is said where the first shard lost an early checkpoint and the last later ones.

    Then begin with the first checkpoint at one shard alone, as a kill between two writes leaves it.
    """
    first = trained(share, folder)
    here = folder / f"shard-{share.latents.rank}-of-{share.latents.world}"
    is_first, is_last = share.latents.rank == 0, share.latents.rank == share.latents.world - 1
    if share.rows.rank == 0:
        for step in [5] * is_first + [10, 12] * is_last:
            shutil.rmtree(here / f"step-{step:09d}")
    share.everyone.count(1)
    said = None
    try:
        trained(share, folder)
    except SondeError as error:
        said = torch.frombuffer(bytearray(str(error).encode()), dtype=torch.uint8)
    share.everyone.count(1)
    if is_first and share.rows.rank == 0:
        shutil.rmtree(here)
    share.everyone.count(1)
    again = trained(share, folder)
    assert first.history == again.history
    return {} if said is None else {"said": said}


def diverged(share, folder):
    """Return what stops a training whose learning rate is far too high."""
    try:
        trained(share, folder, lr=1e30)
    except SondeError as error:
        return torch.frombuffer(bytearray(str(error).encode()), dtype=torch.uint8)


def all_steps(share, folder):
    """Take the step of every case; of some alone where the latents are not shared by two."""
    cases = CASES[:: 5 if share.everyone.world > 2 else 3] if share.rows.world > 1 else CASES
    found = {" / ".join(case): step(share, *case) for case in cases}
    found |= {" / ".join(case): course(share, *case) for case in COURSES}
    found["gone on"] = stopped_and_gone_on(share, folder / "stored")
    if share.latents.world > 1:
        found["lost"] = lost(share, folder / "lost")
    found["diverged"] = {"said": diverged(share, folder / "diverged")}
    return found | {f"tied {seed}": tied_choices(share, seed) for seed in range(8)}
