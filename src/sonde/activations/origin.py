"""Where activations come from."""

from sonde.core.base import Config


class Origin(Config):
    """Where activations come from: everything needed to make them again, or to refuse a misuse.

    ``model_fingerprint`` names the weights; two models with one name and other weights differ.
    ``template`` is what was used: ``chat``, ``none``, or ``chat and none`` where some texts stood
    as they were. ``n_layers`` is the model's depth, 0 where unknown. Imported activations carry
    what is known and leave the rest empty.
    """

    model: str = ""
    revision: str = ""
    model_fingerprint: str = ""
    n_layers: int = 0
    dtype: str = ""
    template: str = ""
    data_fingerprint: str = ""
    hooks: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    edits: str = ""
    sonde_version: str = ""


def model_in_words(name: str, revision: str, fingerprint: str) -> str:
    """Name a model as far as it is known: ``gemma-2-2b (revision main, weights 0a1b…)``."""
    if not name and not fingerprint:
        return "an unnamed model"
    parts = [name or "a model"]
    if revision:
        parts.append(f"revision {revision}")
    if fingerprint:
        parts.append(f"weights {fingerprint[:12]}")
    return f"{parts[0]} ({', '.join(parts[1:])})" if len(parts) > 1 else parts[0]
