"""The base of everything that crosses disk, command line or web, and its error messages."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from sonde.core.errors import SondeError, nearest
from sonde.core.wrong_values import wrong_value


class Config(BaseModel):
    """Frozen settings that refuse a key they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


AnyConfig = TypeVar("AnyConfig", bound=Config)
Place: TypeAlias = Callable[[tuple[int | str, ...]], str]


def dotted(path: tuple[int | str, ...]) -> str:
    """Return a place inside settings as ``a.b.c``."""
    return ".".join(str(part) for part in path) or "the whole"


def validated(kind: type[AnyConfig], given: Any, *, where: str, place: Place = dotted) -> AnyConfig:
    """Validate ``given`` as ``kind``; ``where`` names the file or place for the error message.

    ``place`` turns the path of a value into words, where more than the path is known of it.

    Raises:
        SondeError: a key is unknown (the nearest known one is named), missing, or of a wrong type.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        # An unknown key comes first: it often is the one that another line calls missing.
        items = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        said = " ".join(_readable(item, kind, place) for item in items)
        verb = "are" if where.endswith("settings") else "is"
        raise SondeError(f"{where} {verb} not valid: {said}") from None


def _readable(item: Any, kind: type[BaseModel], place: Place) -> str:
    path = place(tuple(item["loc"]))
    if item["type"] == "extra_forbidden":
        known = _keys_at(kind, item["loc"][:-1])
        hint = nearest(str(item["loc"][-1]), known) or f" Keys are {', '.join(known)}."
        return f"{path} is not a key here.{hint}"
    if item["type"] == "missing":
        return f"{path} is missing."
    if item["type"] == "union_tag_invalid":
        given, tags = item["ctx"]["tag"], item["ctx"]["expected_tags"].replace("'", "")
        hint = nearest(given, tags.split(", ")) or f" Kinds are {tags}."
        return f"{path}: there is no kind {given!r}.{hint}"
    if not item["loc"] and item["type"] == "value_error":  # said of all settings together
        return f"{item['msg'].removeprefix('Value error, ').removesuffix('.')}."
    return f"{path}{wrong_value(item)}"


def _keys_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """List the keys that are valid at a path; tagged unions put the tag into the path."""
    models = [kind]
    for part in path:
        inside = [
            _models_in(model.model_fields[part].annotation)
            for model in models
            if isinstance(part, str) and part in model.model_fields
        ]
        tagged = [model for model in models if _has_tag(model, part)]
        models = [inner for found in inside for inner in found] or tagged or models
    return sorted({key for model in models for key in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments: tuple[Any, ...] = getattr(cast(Any, annotation), "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]


def _has_tag(model: type[BaseModel], tag: int | str) -> bool:
    field = model.model_fields.get("kind")
    return field is not None and tag in getattr(field.annotation, "__args__", ())
