"""Lines of the benchmark table, kept between runs so that one part can be run again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Line:
    """One measured figure, with the target it is held against where there is one."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None

    @property
    def mark(self) -> str:
        return {None: "", True: "yes", False: "no"}[self.met]


def keep(part: str, command: str, machine: str, lines: list[Line]) -> None:
    """Store a part's lines and write the page anew."""
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    stored[part] = {
        "command": command,
        "machine": machine,
        "lines": [asdict(line) for line in lines],
    }
    RESULTS.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(_page(stored))


def show(part: str, lines: list[Line]) -> None:
    """Print a part's lines."""
    table = Table("", "figure", "target", "met", title=part, title_justify="left")
    for line in lines:
        table.add_row(line.what, line.figure, line.target, line.mark)
    Console().print(table)


def _page(stored: dict) -> str:
    text = (
        "# Benchmarks\n\nEach figure is the median of several rounds in which the contestants "
        "take turns, so a machine whose speed drifts drifts for all of them alike; a ratio is the "
        "median of the rounds' own ratios. The contestants' results are compared before their "
        "times are. `make bench` runs everything.\n"
    )
    for part, entry in stored.items():
        text += f"\n## {part}\n\n`{entry['command']}` on {entry['machine']}.\n\n"
        text += "| what | figure | target | met |\n| --- | --- | --- | --- |\n"
        for item in entry["lines"]:
            line = Line(**item)
            text += f"| {line.what} | {line.figure} | {line.target} | {line.mark} |\n"
    return text
