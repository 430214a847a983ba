"""Gates: a condition on earlier results, such as ``truth.selected.low > 0.6``.

The grammar is comparisons of a dotted path with a number, joined by ``and`` and ``or``, with
parentheses. Nothing else can be written, so nothing else can be run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeAlias, cast

from sonde.core.errors import SondeError, nearest

OPERATORS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<path>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?P<sign><=|>=|==|!=|<|>)|(?P<bracket>[()]))"
)
_HELP = "Write a comparison such as `truth.selected.low > 0.6`; join several with and, or."


@dataclass(frozen=True, slots=True)
class Comparison:
    """``<stage>.<path in its summary> <operator> <number>``."""

    stage: str
    path: str
    operator: str
    number: float


@dataclass(frozen=True, slots=True)
class Junction:
    """Several conditions, all or any of which must hold."""

    word: str  # "and" or "or"
    parts: "tuple[Condition, ...]"


Condition: TypeAlias = Comparison | Junction


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a gate is open, and the numbers that decided it."""

    open: bool
    why: str


def parse_gate(text: str) -> Condition:
    """Read a gate.

    Raises:
        SondeError: the text does not follow the grammar.
    """
    tokens = _tokens(text)
    condition, rest = _any(tokens, text)
    if rest:
        raise SondeError(f"The gate {text!r} goes on after its end: {rest[0][1]!r}.", fix=_HELP)
    return condition


def stages_in(condition: Condition) -> tuple[str, ...]:
    """Return the stages whose results a gate reads, without repeats."""
    if isinstance(condition, Comparison):
        return (condition.stage,)
    return tuple(dict.fromkeys(name for part in condition.parts for name in stages_in(part)))


def judge(condition: Condition, summaries: Mapping[str, Mapping[str, Any]]) -> GateVerdict:
    """Evaluate a gate on the summaries of earlier stages.

    A value that is missing because it is not a number (NaN is stored as null) closes the gate.

    Raises:
        SondeError: a summary has no such path.
    """
    if isinstance(condition, Junction):
        verdicts = [judge(part, summaries) for part in condition.parts]
        holds = all if condition.word == "and" else any
        return GateVerdict(
            holds(verdict.open for verdict in verdicts),
            f" {condition.word} ".join(verdict.why for verdict in verdicts),
        )
    name = f"{condition.stage}.{condition.path}"
    value = look_up(summaries[condition.stage], condition.path, name=name)
    if value is None:
        return GateVerdict(False, f"{name} is not a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SondeError(f"{name} is not a number but {value!r}.", fix=_HELP)
    holds = OPERATORS[condition.operator](value, condition.number)
    verb = "holds" if holds else "does not hold"
    asked = f"{name} {condition.operator} {condition.number:g}"
    return GateVerdict(holds, f"{asked} {verb} (it is {value:.4g})")


def judge_stage(name: str, when: str, summaries: Mapping[str, Mapping[str, Any]]) -> GateVerdict:
    """Evaluate the gate of the stage ``name``, as ``judge`` does.

    Raises:
        SondeError: as ``parse_gate`` and ``judge``, naming the stage.
    """
    try:
        return judge(parse_gate(when), summaries)
    except SondeError as error:
        raise SondeError(f"stages.{name}.when: {error.what}", fix=error.fix) from None


def look_up(summary: Mapping[str, Any], path: str, *, name: str) -> Any:
    """Find a value by its dotted path; keys may hold dots themselves (``blocks.3.resid_post``).

    Raises:
        SondeError: the summary has no such path; the nearest one is named.
    """
    known = dict(_leaves(summary))
    if path in known:
        return known[path]
    raise SondeError(
        f"{name} is not in that stage's summary.{nearest(path, known)}",
        fix=f"Its values are {', '.join(list(known)[:12])}{' …' if len(known) > 12 else ''}.",
    )


def _leaves(summary: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in summary.items():
        if isinstance(value, Mapping):
            found += _leaves(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        elif value is None or isinstance(value, int | float | str):
            found.append((f"{prefix}{key}", value))
    return found


Tokens: TypeAlias = list[tuple[str, str]]


def _tokens(text: str) -> Tokens:
    found: Tokens = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise SondeError(
                f"The gate {text!r} cannot be read at {text[at:].strip()!r}.", fix=_HELP
            )
        kind = str(match.lastgroup)
        word = str(match[kind])
        found.append(("word" if word in ("and", "or") else kind, word))
        at = match.end()
    return found


def _any(tokens: Tokens, text: str) -> tuple[Condition, Tokens]:
    return _joined("or", tokens, text)


def _joined(word: str, tokens: Tokens, text: str) -> tuple[Condition, Tokens]:
    """Read one or more conditions joined by ``word``; ``and`` binds closer than ``or``."""

    def part(left: Tokens) -> tuple[Condition, Tokens]:
        return _joined("and", left, text) if word == "or" else _single(left, text)

    first, tokens = part(tokens)
    parts = [first]
    while tokens and tokens[0] == ("word", word):
        following, tokens = part(tokens[1:])
        parts.append(following)
    return (first if len(parts) == 1 else Junction(word, tuple(parts))), tokens


def _single(tokens: Tokens, text: str) -> tuple[Condition, Tokens]:
    if tokens and tokens[0] == ("bracket", "("):
        inside, rest = _any(tokens[1:], text)
        if not rest or rest[0] != ("bracket", ")"):
            raise SondeError(f"The gate {text!r} has an open bracket.", fix=_HELP)
        return inside, rest[1:]
    kinds = [kind for kind, _ in tokens[:3]]
    if kinds != ["path", "sign", "number"]:
        raise SondeError(f"The gate {text!r} is not a comparison with a number.", fix=_HELP)
    (_, path), (_, sign), (_, number) = tokens[:3]
    stage, _, inside_path = path.partition(".")
    if not inside_path:
        raise SondeError(f"The gate {text!r} names a stage but no value of it.", fix=_HELP)
    return Comparison(stage, inside_path, sign, float(number)), tokens[3:]
