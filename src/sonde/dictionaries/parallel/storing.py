"""A dictionary cut into shards, and put together again."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sonde.dictionaries.artifact import DictionaryHeader, read_dictionary
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.parallel.share import Share

ROWS = 4096  # of a shard, brought to the host at a time


def is_cut(name: str, tensor: Tensor) -> bool:
    """Return whether a tensor of a dictionary's state has a row for each latent."""
    return name.startswith("blocks.") and tensor.ndim > 0


def cut(state: Mapping[str, Tensor], share: Share) -> dict[str, Tensor]:
    """Return the part of a whole dictionary's state that is here, as copies."""
    return {
        name: (share.own_latents(one) if is_cut(name, one) else one).clone()
        for name, one in state.items()
    }


def shared(dictionary: Dictionary, share: Share) -> Dictionary:
    """Return this process' share of a whole dictionary, in the same mode and type.

    Raises:
        SondeError: its latents cannot be shared evenly.
    """
    made = Dictionary(dictionary.architecture, share).to(next(dictionary.parameters()))
    made.load_state_dict(cut(dictionary.state_dict(), share))
    return made.train(dictionary.training)


def load_shared(path: Path, share: Share) -> tuple[Dictionary, DictionaryHeader]:
    """Read this process' share of a dictionary's file, ready for use; the rest is not kept.

    Raises:
        SondeError: as ``load_dictionary``, or the latents cannot be shared evenly.
    """
    header, tensors = read_dictionary(path)
    found = Dictionary(header.architecture, share)
    found.load_state_dict(cut(tensors, share))
    return found.eval(), header


@torch.no_grad()
def whole(dictionary: Dictionary) -> Dictionary | None:
    """Put the shards together on the host of the first process; None at the others.

    All processes call it. Some thousand latents at a time leave the devices, so that no device
    ever holds more than its own share and these.
    """
    share = dictionary.share
    if share.rows.rank:
        return None
    here = share.latents.rank == 0
    state: dict[str, Tensor] = {}
    for name, own in dictionary.state_dict().items():
        if is_cut(name, own):
            state[name] = _collected(own, share)
        else:
            state[name] = own.cpu().clone()
    if not here:
        return None
    made = Dictionary(dictionary.architecture).to(next(iter(state.values())).dtype)
    made.load_state_dict(state)
    return made.train(dictionary.training)


def _collected(own: Tensor, share: Share) -> Tensor:
    """Return a tensor of all latents on the host, in order; nothing in it but at the first."""
    world = share.latents.world
    shape = (len(own) * world, *own.shape[1:]) if share.latents.rank == 0 else (0,)
    found = torch.empty(shape, dtype=own.dtype)
    for start in range(0, len(own), ROWS):
        part = share.latents.collected(own[start : start + ROWS])
        if part is not None:
            rows = part.movedim(0, 1).flatten(0, 1)
            found[start * world : start * world + len(rows)] = rows.cpu()
    return found
