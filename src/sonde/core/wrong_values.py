"""What is wrong with a value of the settings, and how to mend it, in a user's words."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from sonde.core.errors import nearest

Context: TypeAlias = Mapping[str, Any]
NAME = "^[A-Za-z0-9][A-Za-z0-9_-]*$"  # what stages, claims and experiments are called
LONGEST = 60  # characters of a value that is repeated
PERCENT = 100


def wrong_value(item: Mapping[str, Any]) -> str:
    """Return the words for a mistake that pydantic found, which follow its place.

    Such as ``is -1, which is too low: write 0 or more.`` A mistake that the settings' own checks
    found comes with their words.
    """
    given: Any = item["input"]
    context: Context = item.get("ctx") or {}
    said = _MISTAKES.get(item["type"])
    if said is not None:
        words = f" is {_shown(given)}, {said(given, context)}"
        return words if words.endswith("?") else f"{words}."
    message = item["msg"].removeprefix("Value error, ").removesuffix(".")
    if isinstance(given, Mapping):  # of several settings together: too long to be repeated
        return f": {message}."
    return f": {message} (given: {_shown(given)})."


def _shown(given: Any) -> str:
    shown = repr(given)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _above(given: Any, context: Context) -> str:
    return f"which is too low: write more than {_number_in_words(context['gt'])}"


def _at_least(given: Any, context: Context) -> str:
    return f"which is too low: write {_number_in_words(context['ge'])} or more"


def _below(given: Any, context: Context) -> str:
    bound = context["lt"]
    return f"which is too high: write less than {_number_in_words(bound)}{_percent(given, bound)}"


def _at_most(given: Any, context: Context) -> str:
    bound = context["le"]
    return f"which is too high: write {_number_in_words(bound)} or less{_percent(given, bound)}"


def _percent(given: Any, bound: float) -> str:
    """Return a hint where a share was written in percent."""
    number = float(given) / PERCENT
    return (
        f", {number:g} for {given:g} %" if bound <= 1 < given <= PERCENT and number < bound else ""
    )


def _pattern(given: Any, context: Context) -> str:
    if context["pattern"] == NAME:
        return "which is no name: write letters, digits, - and _, with a letter or digit first"
    return f"which does not fit: write what matches {context['pattern']}"


def _one_of(given: Any, context: Context) -> str:
    known = [one.strip(" '") for one in str(context["expected"]).replace(" or ", ", ").split(",")]
    hint = nearest(str(given), known)
    return f"which is none of the choices: write {context['expected']}{'.' if hint else ''}{hint}"


def _text(given: Any, context: Context) -> str:
    if isinstance(given, list | tuple | Mapping) or given is None:
        return "which is no text: write one"
    return f"which is no text: write it in quotes, '{given}'"


def _fewer(given: Any, context: Context) -> str:
    return f"which has {_entries(given)}: give {context['min_length']} or more"


def _more(given: Any, context: Context) -> str:
    return f"which has {_entries(given)}: give {context['max_length']} or fewer"


def _entries(given: Any) -> str:
    count = len(cast("list[Any]", given))
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _number_in_words(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"


def _saying(words: str) -> Callable[[Any, Context], str]:
    return lambda given, context: words.format(**context)


_whole = _saying("which is no whole number: write one, such as 3")
_number = _saying("which is no number: write one, such as 0.5")
_flag = _saying("which is neither true nor false: write one of them")
_list = _saying("which is no list: write its entries in brackets, [a, b]")
_mapping = _saying("which is no mapping: write keys with their values, {{key: value}}")

_MISTAKES: Mapping[str, Callable[[Any, Context], str]] = {
    "greater_than": _above,
    "greater_than_equal": _at_least,
    "less_than": _below,
    "less_than_equal": _at_most,
    "finite_number": _saying("which is not finite: write a number"),
    "int_type": _whole,
    "int_parsing": _whole,
    "int_from_float": _whole,
    "float_type": _number,
    "float_parsing": _number,
    "bool_type": _flag,
    "bool_parsing": _flag,
    "string_type": _text,
    "string_too_short": _saying("which is too short: write {min_length} or more characters"),
    "string_too_long": _saying("which is too long: write {max_length} or fewer characters"),
    "string_pattern_mismatch": _pattern,
    "literal_error": _one_of,
    "list_type": _list,
    "tuple_type": _list,
    "dict_type": _mapping,
    "mapping_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "too_short": _fewer,
    "too_long": _more,
    "union_tag_not_found": _saying("which has no kind: write `kind:` with what it is"),
}
