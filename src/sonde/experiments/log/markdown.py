"""Markdown from values: whatever a value holds is shown as text, and never taken for markup."""

import re
from collections.abc import Iterable, Sequence

LONGEST = 1000  # characters of a value; the ledger keeps the whole
# Punctuation that means something within a line. An underscore inside a word does not, nor "<"
# before a number, nor a bracket that no address follows.
_INLINE = re.compile(r"[\\`*|~$]|<(?=[A-Za-z/!?])|\](?=[(\[])|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
# What makes a heading, a quotation, a list, a task, a definition or a rule where it begins a line.
_LINE_START = re.compile(r"^(#{1,6}(?=\s|$)|>|\[|[+-](?=\s|$)|[=-][=\- ]*$|\d+(?=[.)](?:\s|$)))")
_JOINERS = "\u200c\u200d"  # in emoji and in several scripts


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, cut where it is very long, with unprintable characters shown."""
    plain = " ".join(text.split())
    if len(plain) > longest:
        plain = f"{plain[:longest].rstrip()} … ({len(plain):,} characters)"
    return "".join(char if char.isprintable() or char in _JOINERS else "\ufffd" for char in plain)


def escape(value: object, longest: int = LONGEST) -> str:
    """Return a value as one line of text in which no character is markup."""
    text = _INLINE.sub(lambda match: f"\\{match[0]}", one_line(str(value), longest))
    return _LINE_START.sub(_escaped_start, text)


def _escaped_start(match: re.Match[str]) -> str:
    # A number is escaped behind its digits: `1\.` is no list.
    return f"\\{match[0]}" if not match[0].isdigit() else f"{match[0]}\\"


def code(value: object, longest: int = LONGEST) -> str:
    """Return a value as a code span; in a table ``|`` is escaped even there, so it always is."""
    text = one_line(str(value), longest)
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    if "|" in text:  # GitHub splits the cells before it looks for code
        return escape(text, longest)
    return f"{fence}{space}{text}{space}{fence}"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> str:
    """Return a table of cells that are Markdown already; ``numbers`` are columns set to the right.

    A column without any content is left out; without rows there is no table.
    """
    content = [list(row) for row in rows]
    if not content:
        return ""
    right = set(numbers)
    kept = [at for at in range(len(columns)) if any(row[at] for row in content)]
    rules = ["---:" if at in right else "---" for at in kept]
    lines = [[columns[at] for at in kept], rules, *([row[at] for at in kept] for row in content)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)
