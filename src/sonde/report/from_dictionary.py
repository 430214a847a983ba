"""The browser of latents from a dictionary's samples."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonde.report.sections.latent_browser import LatentBrowser, ShownLatent, ShownText
from sonde.report.wording import count, counted, listed

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.dictionaries.samples.found import Context, DictionarySamples, Word

TOP = 5 / 8  # share of the texts shown that are of the largest activations
DRAWN = {"top": "largest", "octave": "over the range", "random": "at random"}
PARTS = {
    "training": "The texts are of training: each activation is that of the step at which it was "
    "kept, so early ones are of a dictionary that was not finished.",
    "held-out": "The texts are of the part that training never saw.",
}
LEGEND = (
    "Samples are the largest activations and some drawn over their whole range, as the largest "
    "alone make a latent look clearer than it is."
)


def latents_section(
    samples: "DictionarySamples",
    *,
    latents: Sequence[int] = (),
    show: int | None = None,
    show_samples: int | None = None,
    title: str = "What the latents are active on",
) -> LatentBrowser | None:
    """Show some latents with their texts; None where no latent has a sample.

    ``latents`` names them. Without, ``show`` of them (as the samples' settings say, unless given)
    are taken evenly spaced by how often they fire, with ``show_samples`` texts each.

    Raises:
        SondeError: a latent that is named is not there.
    """
    settings = samples.settings
    most = settings.show if show is None else show
    chosen = list(dict.fromkeys(latents)) or samples.spaced(most)
    texts = settings.show_samples if show_samples is None else show_samples
    if not chosen:
        return None
    return LatentBrowser(
        latents=tuple(_latent(samples, one, texts) for one in chosen),
        note=f"{PARTS[samples.source.part]} {LEGEND}",
        left_out=_left_out(samples, len(chosen), named=bool(latents)),
        title=title,
    )


def _left_out(samples: "DictionarySamples", shown: int, *, named: bool) -> str:
    """Say how many latents there are, which are shown, and what became of the others."""
    counts = samples.accounting
    chosen = "chosen by number" if named else "evenly spaced by how often they fire"
    if shown == counts.sampled and not named:
        chosen = "all that have samples"
    said = [f"{count(shown)} of {counted(counts.latents, 'latent')} are shown, {chosen}."]
    others = [
        *([f"{count(counts.silent)} never fired"] if counts.silent else []),
        *([f"{count(counts.faint)} never above the threshold"] if counts.faint else []),
    ]
    if others:
        said.append(f"On {count(counts.rows)} tokens {listed(others)}.")
    return " ".join(said)


def _latent(samples: "DictionarySamples", number: int, texts: int) -> ShownLatent:
    facts = samples.latent(number)
    filled = [at for at, one in enumerate(facts.histogram) if one]
    first, last = (filled[0], filled[-1] + 1) if filled else (0, 0)
    bounds = (0.0, *samples.settings.edges, math.inf)
    blocks = len(samples) and samples.latent(len(samples) - 1).block
    return ShownLatent(
        number=number,
        rate=facts.rate,
        mean=facts.mean,
        largest=facts.largest,
        diversity=facts.diversity,
        specialisation=facts.specialisation,
        counts=facts.histogram[first:last],
        bounds=bounds[first : last + 1] if filled else (),
        fires_on=_pairs(facts.tokens),
        raised=_pairs(facts.raised),
        lowered=_pairs(facts.lowered),
        texts=_texts(samples.contexts(number), texts),
        block=facts.block if blocks else None,
    )


def _pairs(words: Sequence["Word"]) -> tuple[tuple[str, float], ...]:
    return tuple((one.text, one.number) for one in words)


def _texts(contexts: Sequence["Context"], most: int) -> tuple[ShownText, ...]:
    """Choose texts: of the largest activations, then evenly from the others; equal ones once."""
    equal: dict[tuple[tuple[str, ...], int], list[Context]] = {}
    for one in contexts:
        equal.setdefault((one.pieces, one.place), []).append(one)
    different = [(same[0], len(same)) for same in equal.values()]
    top = [one for one in different if one[0].drawn == "top"]
    rest = [one for one in different if one[0].drawn != "top"]
    kept = top[: max(most - len(rest), math.ceil(most * TOP))]
    kept += _even(rest, most - len(kept))
    kept.sort(key=lambda one: -one[0].value)
    return tuple(
        ShownText(one.pieces, one.values, one.place, one.value, DRAWN[one.drawn], times)
        for one, times in kept
    )


def _even(given: list[tuple["Context", int]], most: int) -> list[tuple["Context", int]]:
    """Return as many, evenly spaced from the first to the last."""
    if len(given) <= most:
        return given
    steps = [round((at + 0.5) * len(given) / most - 0.5) for at in range(most)]
    return [given[at] for at in steps]
