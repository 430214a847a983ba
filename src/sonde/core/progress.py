"""A progress bar with speed and time left; silent where nobody watches a terminal."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Step:
    """How far some work has come; ``done`` and ``total`` are numbers of ``unit``."""

    label: str
    done: int
    total: int
    unit: str


_watcher: ContextVar[Callable[[Step], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Callable[[Step], None]) -> Generator[None]:
    """Tell ``watcher`` of every step that is made while the block runs, shown or not."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def progress(
    label: str, total: int, *, unit: str = "tokens", done: int = 0, show: bool = True
) -> Generator[Advance]:
    """Show ``label`` with a bar while the block runs, and give the function that moves it.

    ``total`` and ``done`` (what an earlier run had finished, which does not count as speed) are
    numbers of ``unit``. Nothing is written where standard error is not a terminal.
    """
    watcher = _watcher.get()
    told = done

    def tell(amount: int) -> None:
        nonlocal told
        told += amount
        if watcher is not None:
            watcher(Step(label, told, total, unit))

    if not show or not sys.stderr.isatty():
        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, completed=done, speed="")

        def advance(amount: int) -> None:
            tell(amount)
            bar.update(task, advance=amount)
            speed = bar.tasks[task].speed
            if speed:
                bar.update(task, speed=f"{speed:,.0f} {unit}/s")

        yield advance
