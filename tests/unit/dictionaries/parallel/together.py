"""Run a function in several processes that talk by gloo, and collect what each of them found."""

import multiprocessing
from pathlib import Path

import torch

LIMIT = 120  # seconds, after which processes that wait for each other are ended


def together(function, world: int, shards: int, folder: Path) -> list:
    """Return ``function(share)`` of each process, by rank; what one raises is raised here."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.distributed", "sonde.dictionaries.training.losses"])
    started = [
        context.Process(target=_one, args=(function, rank, world, shards, folder))
        for rank in range(world)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(LIMIT)
    for process in started:
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in started] == [0] * world, _said(folder, world)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(world)]


def _one(function, rank: int, world: int, shards: int, folder: Path) -> None:
    import torch.distributed as dist

    from sonde.dictionaries.parallel import join

    torch.set_num_threads(1)
    try:
        store = f"file://{folder / 'store'}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
        torch.save(function(join(shards)), folder / f"{rank}.pt")
        dist.destroy_process_group()
    except BaseException:
        import traceback

        (folder / f"{rank}.txt").write_text(traceback.format_exc())
        raise SystemExit(1) from None


def _said(folder: Path, world: int) -> str:
    files = [folder / f"{rank}.txt" for rank in range(world)]
    return "\n".join(one.read_text() for one in files if one.exists()) or "no process said why"
