"""``layers`` of a search: blocks that are searched one by one, and blocks steered together."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator

BEST = "best"
Layers: TypeAlias = tuple[int | tuple[int, ...], ...] | Literal["best"]


def _checked(given: Layers) -> Layers:
    """Refuse entries that say nothing or say it twice; blocks stand in the order of the pass."""
    if given == BEST:
        return given
    if not given:
        raise ValueError("no block is named: name one, or write `best`")
    entries: list[int | tuple[int, ...]] = []
    for entry in given:
        blocks = (entry,) if isinstance(entry, int) else entry
        if not blocks:
            raise ValueError("an entry is empty: it lists the blocks that are steered at once")
        if len(set(blocks)) < len(blocks):
            raise ValueError(f"an entry names a block twice: {', '.join(map(str, blocks))}")
        one = blocks[0] if len(blocks) == 1 else tuple(sorted(blocks))
        if one in entries:
            raise ValueError(f"{', '.join(map(str, sorted(blocks)))} is named twice")
        entries.append(one)
    return tuple(entries)


SteeredLayers: TypeAlias = Annotated[Layers, AfterValidator(_checked)]


def entries_of(layers: Layers) -> tuple[tuple[int, ...], ...]:
    """Return the blocks of each entry; none for ``best``, which the vectors decide."""
    if layers == BEST:
        return ()
    return tuple((one,) if isinstance(one, int) else one for one in layers)


def blocks_of(layers: Layers) -> tuple[int, ...]:
    """Return every block that is named, once."""
    return tuple(dict.fromkeys(block for entry in entries_of(layers) for block in entry))
