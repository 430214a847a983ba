"""One latent in the terminal: its numbers, a histogram, and the texts that it is active on."""

from collections.abc import Sequence

from rich.text import Text

from sonde.cli.console import console, heading, say, table
from sonde.core.words import true_minus
from sonde.dictionaries.samples.found import Context, DictionarySamples, LatentFacts, Word

BARS = "▏▎▍▌▋▊▉█"
WIDTH = 40  # of the longest bar
MISSING = "–"
OPEN, CLOSE = "«", "»"  # around the sampled token, where there are no colours too
SHADES = ((0.75, "black on orange1"), (0.4, "black on light_goldenrod2"), (0.1, "underline"))


def show_latent(samples: DictionarySamples, latent: int) -> None:
    """Print what is known of a latent.

    Raises:
        SondeError: there is no such latent.
    """
    facts = samples.latent(latent)
    say(f"Latent {latent}{f', of block {facts.block}' if facts.block else ''}")
    table(
        ("", ""),
        [
            ("  fires on", f"{share(facts.rate)} of {samples.accounting.rows:,} tokens"),
            ("  mean where it fires", number(facts.mean)),
            ("  largest", number(facts.largest)),
            ("  context diversity", number(facts.diversity)),
            ("  specialisation", _specialisation(facts)),
        ],
    )
    if not facts.fired:
        say("It never fired on these tokens.")
        return
    heading("How active it is, where it is")
    _histogram(facts, samples.settings.edges)
    _words(facts)
    heading("Texts, from the largest activation down")
    for context in samples.contexts(latent):
        console.print(_line(context, facts.largest or 1.0), soft_wrap=True)


def number(value: float | None) -> str:
    """Write a number with three figures, a dash where there is none."""
    return MISSING if value is None else true_minus(f"{value:.3g}")


def share(rate: float) -> str:
    """Write a share with two figures, however small: ``0.0021 %``."""
    return f"{100 * rate:.2g} %" if rate < 0.1 else f"{100 * rate:.0f} %"


def word(text: str) -> str:
    """Write a token so that its white space is seen."""
    return text.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍").replace(" ", "·")


def _specialisation(facts: LatentFacts) -> str:
    if facts.specialisation is None:
        return MISSING
    return f"{number(facts.specialisation)}: about {number(facts.effective_tokens)} tokens"


def _histogram(facts: LatentFacts, edges: Sequence[float]) -> None:
    """Print counts by half octaves, from the first that has any to the last."""
    counts = facts.histogram
    filled = [at for at, count in enumerate(counts) if count]
    most = max(counts)
    rows: list[tuple[str, str, str]] = []
    for at in range(filled[0], filled[-1] + 1):
        low = f"{edges[at - 1]:.3g}" if at else "0"
        high = f"{edges[at]:.3g}" if at < len(edges) else "∞"
        rows.append((f"{low} to {high}", f"{counts[at]:,}", _bar(counts[at] / most)))
    table(("  activation", "tokens", ""), [(f"  {span}", *rest) for span, *rest in rows])


def _bar(part: float) -> str:
    eighths = max(round(part * WIDTH * 8), 1 if part else 0)
    whole, rest = divmod(eighths, 8)
    return BARS[-1] * whole + (BARS[rest - 1] if rest else "")


def _words(facts: LatentFacts) -> None:
    rows = [
        ("  fires on", [f"{word(one.text)} {one.number:.0%}" for one in facts.tokens]),
        ("  raises the logits of", _moved(facts.raised)),
        ("  lowers those of", _moved(facts.lowered)),
    ]
    known = [(name, "  ".join(said)) for name, said in rows if said]
    if known:
        heading("Tokens")
        table(("", ""), known)


def _moved(words: Sequence[Word]) -> list[str]:
    return [f"{word(one.text)} {true_minus(f'{one.number:+.2f}')}" for one in words]


def _line(context: Context, largest: float) -> Text:
    """Return a text in one line, its tokens shaded by how active the latent is on them."""
    line = Text(f"  {context.value:7.3g}  ")
    pairs = zip(context.pieces, context.values, strict=True)
    for at, (piece, value) in enumerate(pairs):
        sampled = at == context.place
        active = context.value if sampled else value
        shown = piece.replace("\n", "⏎").replace("\r", "␍").replace("\t", "⇥")
        style = _shade(0.0 if active is None else active / largest)
        if sampled:
            line.append(OPEN, "bold")
        line.append(shown, f"bold {style}" if sampled else style)
        if sampled:
            line.append(CLOSE, "bold")
    return line


def _shade(part: float) -> str:
    return next((style for least, style in SHADES if part >= least), "")
