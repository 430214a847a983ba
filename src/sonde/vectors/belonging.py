"""Whether a vector may be used with a model, and what a result must say of it."""

from typing import TYPE_CHECKING

from sonde.activations.origin import model_in_words
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.model import ModelInfo

if TYPE_CHECKING:
    from sonde.vectors.vector import Vector


def check_belonging(
    vector: "Vector",
    info: ModelInfo,
    hook: HookPoint | None,
    allow_other_model: bool,
    allow_other_hook: bool,
) -> str:
    """Refuse what does not fit; return what was allowed in words, empty where nothing had to be.

    Weights are compared where both are known, else names and revisions.

    Raises:
        SondeError: the model or hook point is another and that is not allowed, or the width or the
            depth is another.
    """
    said: list[str] = []
    own, other = _of_vector(vector), model_in_words(info.name, info.revision, info.fingerprint)
    if not _same_model(vector, info):
        if not allow_other_model:
            raise SondeError(
                f"{vector.name} was made from {own}, not from {other}.",
                fix="Use the model that it was made from, or pass allow_other_model=True (an "
                "experiment file says it so), which is recorded.",
            )
        said.append(f"made from {own} and used in {other}")
    where = hook if hook is not None else vector.hook
    if where != vector.hook:
        if not allow_other_hook:
            raise SondeError(
                f"{vector.name} was made at {vector.hook}, not at {where}.",
                fix="Use it where it was made, or pass allow_other_hook=True, which is recorded.",
            )
        said.append(f"made at {vector.hook} and used at {where}")
    _check_size(vector, info, where)
    return f"{vector.name} was {', and '.join(said)}." if said else ""


def _check_size(vector: "Vector", info: ModelInfo, where: HookPoint) -> None:
    width = info.n_heads * info.d_head if where.site is Site.HEAD_OUT else info.d_model
    if vector.d_model != width:
        raise SondeError(
            f"{vector.name} has width {vector.d_model}; {info.name} has {width} there.",
            fix=f"Use it with {vector.origin.model or 'its own model'}.",
        )
    if where.layer >= info.n_layers:
        raise SondeError(
            f"{vector.name} lies at {where}; {info.name} has {info.n_layers} blocks.",
            fix=f"Use it with {vector.origin.model or 'its own model'}.",
        )


def _same_model(vector: "Vector", info: ModelInfo) -> bool:
    own = vector.origin
    if own.model_fingerprint and info.fingerprint:
        return own.model_fingerprint == info.fingerprint
    return (own.model, own.revision) == (info.name, info.revision)


def _of_vector(vector: "Vector") -> str:
    origin = vector.origin
    return model_in_words(origin.model, origin.revision, origin.model_fingerprint)
