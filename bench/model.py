"""The model all contestants load: the embedded one, as the folder that the cache holds."""

from pathlib import Path


def model_folder() -> Path:
    """Return the cached folder of the embedded model, obtaining it where it is missing."""
    from sonde.models.embedded import embedded_folder

    return embedded_folder()


def tokenizer_of(folder: Path):
    """Return the tokenizer as every contestant reads it."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
