"""Token views of a bounded size: what does not fit is left out and counted."""

from dataclasses import replace

from sonde.report.sections.token_view import TokenText, TokenView
from sonde.report.wording import counted, listed

NUMBERS = 300_000  # scores and shades: some 1.5 MB of the page
TOKENS = 12_000  # elements that a browser has to lay out


def bounded(view: TokenView, numbers: int = NUMBERS, tokens: int = TOKENS) -> TokenView:
    """Keep the first texts that fit; of a first text that does not fit, its first tokens.

    ``left_out`` of the view says what was left out.
    """
    kept: list[TokenText] = []
    for text in view.texts:
        cost = 2 if text.shades else 1
        room = min(tokens, numbers // (cost * len(view.layers)))
        if len(text.tokens) > room:
            if not kept:
                kept.append(cut(text, max(1, room)))
            break
        kept.append(text)
        tokens -= len(text.tokens)
        numbers -= cost * len(view.layers) * len(text.tokens)
    missing = len(view.texts) - len(kept)
    shorter = len(view.texts[0].tokens) - len(kept[0].tokens)
    said = [
        *([counted(missing, "text")] if missing else []),
        *([f"the last {counted(shorter, 'token')} of the first text"] if shorter else []),
    ]
    if not said:
        return view
    words = f"Left out to keep the page small: {listed(said)}."
    return replace(view, texts=tuple(kept), left_out=words)


def cut(text: TokenText, tokens: int) -> TokenText:
    """Return a text's first tokens."""
    return replace(
        text,
        tokens=text.tokens[:tokens],
        ids=text.ids[:tokens],
        scores=tuple(row[:tokens] for row in text.scores),
        shades=tuple(row[:tokens] for row in text.shades),
        truth=text.truth[:tokens],
        template=tuple(at for at in text.template if at < tokens),
        read_at=text.read_at if text.read_at is not None and text.read_at < tokens else None,
    )
