"""What stands between the documents of a corpus."""

from typing import Any

from sonde.core.errors import SondeError
from sonde.data.corpus_settings import CorpusSettings


def separator_of(tokenizer: Any, settings: CorpusSettings) -> list[int]:
    """Return the ids of what stands after each document.

    Raises:
        SondeError: it is to be the tokenizer's own, which has none.
    """
    chosen = settings.separator
    if chosen == "none":
        return []
    if chosen != "auto":
        return tokenizer(chosen, add_special_tokens=False)["input_ids"]
    for number in (tokenizer.eos_token_id, tokenizer.bos_token_id):
        if number is not None:
            return [int(number)]
    raise SondeError(
        "The tokenizer has neither an end-of-text nor a beginning-of-text token to put between "
        "documents.",
        fix='Set separator: none, or a text such as "\\n\\n".',
    )
