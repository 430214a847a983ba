"""Which latents to look at: those that a text leads to, in the order of one of their numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from sonde.core.errors import SondeError, nearest
from sonde.dictionaries.samples.found import DictionarySamples

if TYPE_CHECKING:
    import pyarrow as pa

# What latents can be sorted by, and the column that has it.
SORTS = {
    "fires": "fired",
    "mean": "mean",
    "largest": "largest",
    "diversity": "diversity",
    "specialisation": "specialisation",
}
WORDS = ("tokens", "raised", "lowered")


def browse(
    samples: DictionarySamples, count: int, *, find: str = "", sort: str = "fires"
) -> list[int]:
    """Return latents that fire, the one with the largest number first, ``count`` at most.

    ``find`` keeps those with these words, upper or lower case, in a text they are active on, in a
    token they fire on, or in one whose logit they change most. Of equal ones the first is first.

    Raises:
        SondeError: there is no such number to sort by.
    """
    if sort not in SORTS:
        raise SondeError(
            f"Latents cannot be sorted by {sort!r}.{nearest(sort, SORTS)}",
            fix=f"Sort by {', '.join(SORTS)}.",
        )
    value = samples.latents[SORTS[sort]].to_numpy().astype(float)
    there = (samples.latents["fired"].to_numpy() > 0) & ~np.isnan(value)
    if find:
        there &= _containing(samples, find)
    order = np.argsort(-value, kind="stable")
    return order[there[order]][:count].tolist()


def _containing(samples: DictionarySamples, words: str) -> Bool[np.ndarray, " latent"]:
    import pyarrow.compute as pc

    compute: Any = pc
    found = np.zeros(len(samples), bool)
    for name in WORDS:
        column = samples.latents[name].combine_chunks()
        texts = compute.struct_field(compute.list_flatten(column), "text")
        parents = compute.list_parent_indices(column)
        found[parents.filter(_has(texts, words)).to_numpy()] = True
    joined = compute.binary_join(samples.samples["pieces"].combine_chunks(), "")
    latent = samples.samples["latent"].combine_chunks()
    found[latent.filter(_has(joined, words)).to_numpy()] = True
    return found


def _has(texts: "pa.Array", words: str) -> "pa.Array":
    import pyarrow.compute as pc

    compute: Any = pc
    return compute.fill_null(compute.match_substring(texts, words, ignore_case=True), False)
