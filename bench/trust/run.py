"""``python -m bench trust [part …]``: measure parts, keep their figures, write the page."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from time import perf_counter

from rich.console import Console
from rich.table import Table

from bench.trust.figure import Figure
from bench.trust.page import PAGE, PARTS, entry, keep, page, read


def main(arguments: Sequence[str], machine: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench trust", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--page", action="store_true", help="write the page anew, measure nothing")
    given = parser.parse_args(arguments)
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    for part in () if given.page else given.parts or PARTS:
        print(f"{part} …", flush=True)
        start = perf_counter()
        figures = import_module(f"bench.trust.{part}").measure()
        took = perf_counter() - start
        keep(part, entry(f"python -m bench trust {part}", machine, took, figures))
        _show(part, figures)
    PAGE.write_text(page(read()), encoding="utf-8")


def _show(part: str, figures: list[Figure]) -> None:
    table = Table("", "figure", "target", "met", title=part, title_justify="left")
    for one in figures:
        table.add_row(one.what, one.figure, one.target, "yes" if one.met else "no")
    Console().print(table)
