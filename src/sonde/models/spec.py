"""What to load, and how: the settings of ``sonde.load``."""

from typing import Any, Literal

from pydantic import Field

from sonde.core.base import Config, validated


class ModelSpec(Config):
    """A model and how to load it.

    ``name`` is a catalog name, a Hugging Face hub id, a local folder, a ``.gguf`` file, or
    ``random:`` followed by a catalog name, a family or the path of a ``config.json``.
    ``revision`` is a branch, tag or commit of the hub repository. ``dtype`` auto is bfloat16 on a
    GPU that computes in it and float32 elsewhere. ``device`` auto is the first GPU, else the CPU;
    ``device_map`` (``"auto"``, ``"balanced"``, …) spreads the model over several GPUs instead.
    ``quantise`` packs the weights to 4 or 8 bits. ``keep`` leaves the real embeddings in a random
    model, whose other weights come from ``seed``. ``check`` runs the self-check on first load.
    """

    name: str = Field(min_length=1)
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    device_map: str | None = None
    quantise: Literal[4, 8] | None = None
    remote_code: bool = False
    keep: Literal["embeddings"] | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    check: bool = True


def as_spec(name: str | ModelSpec, overrides: dict[str, Any]) -> ModelSpec:
    """Return the settings with the overrides applied and validated.

    Raises:
        SondeError: an override is not a setting, or its value is not valid.
    """
    given = {"name": name} if isinstance(name, str) else name.model_dump()
    return validated(ModelSpec, given | overrides, where="What to load")
