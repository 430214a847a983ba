"""Join the processes that were started together, and give each its share."""

import atexit
import os

import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.parallel.ranks import Ranks
from sonde.dictionaries.parallel.share import Share


def join(shards: int = 1) -> Share:
    """Join the processes that ``torchrun`` started; return what is this one's share.

    Of n processes, ``shards`` in a row (those of one machine, if it has as many) have the same rows
    and other latents; the next have the same latents as these and other rows. Each takes the GPU of
    its number on its machine; without GPUs they talk by gloo. Call it once, and before anything is
    put on a device.

    Raises:
        SondeError: the process was not started by torchrun, their number is no multiple of
            ``shards``, or a machine has more processes than GPUs.
    """
    import torch.distributed as dist

    if not dist.is_available():
        raise SondeError(
            f"torch {torch.__version__} was built without torch.distributed.",
            fix="Install one of PyTorch's own builds.",
        )
    if not dist.is_initialized():
        dist.init_process_group(backend=_take_device())
        atexit.register(_leave)
    world = dist.get_world_size()
    if shards < 1 or world % shards:
        raise SondeError(
            f"{world} processes cannot be parted into rows of {shards} shards.",
            fix=f"Start a multiple of {shards} processes: torchrun --nproc-per-node.",
        )
    mesh = torch.arange(world).view(-1, shards)
    latents = _own(mesh.tolist())
    rows = _own(mesh.T.tolist())
    everyone = Ranks(world, dist.get_rank(), dist.group.WORLD)
    return Share(latents, rows, everyone)


def _leave() -> None:
    """Part from the others once all are done: threads that still talk would abort the process."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _own(groups: list[list[int]]) -> Ranks:
    """Return the group that this process is in; all processes make all groups, in one order."""
    import torch.distributed as dist

    me = dist.get_rank()
    found = Ranks()
    for members in groups:
        if len(members) < 2:
            continue
        group = dist.new_group(members)
        if me in members and isinstance(group, dist.ProcessGroup):
            found = Ranks(len(members), members.index(me), group)
    return found


def _take_device() -> str:
    """Take this process' GPU where there is one, and return how processes talk."""
    if "RANK" not in os.environ:
        raise SondeError(
            "This process was started alone, and is to work with others.",
            fix="Start it with `torchrun --nproc-per-node <processes> script.py`.",
        )
    if not torch.cuda.is_available():
        return "gloo"
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        raise SondeError(
            f"Process {number} of this machine has no GPU of its own: there are {there}.",
            fix=f"Start {there} processes on it: torchrun --nproc-per-node {there}.",
        )
    torch.cuda.set_device(number)
    return "nccl"
