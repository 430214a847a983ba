"""Options that several commands take, and runs that several commands choose."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from sonde.core.errors import SondeError

Out = Annotated[Path, typer.Option("--out", help="The folder of all results.")]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="A path or database URL.  [default: $SONDE_LEDGER, else OUT/ledger.sqlite]",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="markdown, csv, parquet or jsonl.  [default: by the file's ending]",
        show_default=False,
    ),
]


def run_number(text: str) -> int:
    """Read the number of a run.

    Raises:
        SondeError: it is none.
    """
    return _whole_number(
        text,
        f"{text!r} is not the number of a run.",
        "`sonde ledger list` shows them in its first column: 1, 2, 3 ….",
    )


def how_many(text: str | int) -> int:
    """Read how many runs to list; a default comes as a number.

    Raises:
        SondeError: it is no whole number from 1 up.
    """
    said = f"--limit {text} is not a number of runs."
    return _whole_number(str(text), said, "Write a whole number from 1 up: --limit 50.")


def _whole_number(text: str, what: str, fix: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SondeError(what, fix=fix)
    return int(text)


# The fields of ledger.records.RunFilter: what makes a run one of those that are wanted.
Filter: TypeAlias = dict[str, str | None]
_FILTER = {
    "name": "Only this experiment; * stands for any text.",
    "state": "Only running, done, failed, skipped, interrupted, resolved or superseded.",
    "purpose": "Only smoke, exploratory or confirmatory.",
    "model": "Only with this model; * stands for any text.",
    "text": "Only with these words in the question, a reason or a note.",
    "since": "Only begun on this day or later, such as 2026-06-21 (UTC).",
    "until": "Only begun on this day or earlier.",
}


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a filter; it gets them as one value, its parameter ``wanted``.

    So every command that chooses runs has the same options with the same words.
    """

    def run(**given: Any) -> None:
        wanted: Filter = {name: given.pop(name) for name in _FILTER}
        command(wanted=wanted, **given)

    own = [one for one in inspect.signature(command).parameters.values() if one.name != "wanted"]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, typer.Option(f"--{name}", help=help_, show_default=False)
            ],
        )
        for name, help_ in _FILTER.items()
    ]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    arguments = [one for one in keyword if _is_argument(one)]
    rest = [one for one in keyword if not _is_argument(one)]
    parameters = [*arguments, *options, *rest]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _is_argument(parameter: inspect.Parameter) -> bool:
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return any(type(one).__name__ == "ArgumentInfo" for one in metadata)
