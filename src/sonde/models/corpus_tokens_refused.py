"""What is said of a corpus that cannot serve: chunks too long, texts too few, nothing held out."""

from sonde.core.errors import SondeError
from sonde.data.corpus_settings import CorpusSettings
from sonde.models.corpus_tokens_files import CorpusIndex


def too_short(settings: CorpusSettings, prefix: int) -> SondeError:
    """Say that chunks, of which ``prefix`` tokens are the tokenizer's own, leave none for texts."""
    return SondeError(
        f"A chunk of {settings.context:,} tokens was asked for, {prefix} of them the "
        f"tokenizer's own, in a corpus of {settings.tokens or 0:,}.",
        fix="Set tokens to at least context, and context above the tokenizer's own.",
    )


def too_few(settings: CorpusSettings, chunks: int) -> SondeError:
    """Say how many tokens there are to train on, in so many chunks, and how often to read them."""
    tokens = chunks * settings.context
    asked = settings.tokens or settings.context
    again = -(-asked // max(1, tokens))
    return SondeError(
        f"{settings.texts} gives {tokens:,} tokens in whole chunks of {settings.context:,} "
        f"to train on, and {asked:,} were asked for.",
        fix=f"Give more texts, or set tokens: {tokens} and epochs: {again}."
        if tokens
        else "Give more texts, or a shorter context.",
    )


def nothing_held_out(index: CorpusIndex, context: int) -> SondeError:
    """Say that what is held out fills no chunk."""
    return SondeError(
        f"{index.held_out.documents:,} of {index.documents:,} documents are held out, "
        f"with {index.held_out.ids:,} tokens; one chunk has {context:,}.",
        fix="Raise held_out, lower passage (shorter documents) or context, give more "
        "texts, or set held_out: 0.",
    )
