"""The page docs/trust.md, from the figures kept in bench/trust.json and the parts' own words."""

import ast
import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.trust.figure import Figure

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench" / "trust.json"
PAGE = ROOT / "docs" / "trust.md"
# In the order of the page; each is a module of this package with a function measure().
PARTS = ("coverage", "false_alarms", "known_answers", "speed", "ledger")

NOTE = "<!-- Made by `python -m bench trust` from bench/trust.json. Change the code instead. -->"
HEAD = """# Why the numbers can be trusted

A number is worth what would have shown it to be wrong. This page says what sonde promises about
its intervals, verdicts and records, how each promise was put to the test where the truth is known,
and what came out, shortcomings included. Every table names the command that makes it again from
fixed seeds. Small versions of the same simulations run in the test suite on every change.
"""


def keep(part: str, entry: dict[str, Any], kept: Path = KEPT) -> None:
    """Store a part's figures in place of its former ones."""
    stored = read(kept)
    stored[part] = entry
    ordered = {name: stored[name] for name in PARTS if name in stored}
    kept.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(kept: Path = KEPT) -> dict[str, Any]:
    """Return what is kept: for each part its command, machine, seconds and figures."""
    return json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}


def entry(command: str, machine: str, seconds: float, figures: list[Figure]) -> dict[str, Any]:
    """Describe one measurement of a part."""
    return {
        "command": command,
        "machine": machine,
        "seconds": round(seconds),
        "figures": [{**asdict(figure), "met": bool(figure.met)} for figure in figures],
    }


def page(stored: dict[str, Any]) -> str:
    """Return the whole page."""
    parts = [HEAD.strip(), NOTE, _shortfalls(stored)]
    for part in PARTS:
        if part in stored:
            parts += _part(part, stored[part])
    return "\n\n".join(parts) + "\n"


def _part(part: str, entry: dict[str, Any]) -> list[str]:
    title, *about = (ast.get_docstring(ast.parse(_source(part))) or part).split("\n\n")
    texts = [f"## {title.rstrip('.')}", *about]
    figures = [Figure(**one) for one in entry["figures"]]
    for section, some in groupby(figures, key=lambda figure: figure.section):
        texts += [f"### {section}"] if section else []
        texts.append(_table(list(some)))
    minutes = entry["seconds"] / 60
    took = f"{minutes:.0f} min" if minutes >= 1 else f"{entry['seconds']} s"
    texts.append(f"Made by `{entry['command']}` in {took} on {entry['machine']}.")
    return texts


def _table(figures: list[Figure]) -> str:
    lines = ["| what | figure | target | met |", "| --- | --- | --- | --- |"]
    for one in figures:
        met = "" if not one.target else "yes" if one.met else "**no**"
        lines.append(f"| {one.what} | {one.figure} | {one.target} | {met} |")
    return "\n".join(lines)


def _shortfalls(stored: dict[str, Any]) -> str:
    """List every figure that misses its target, before anything else."""
    missed = [
        f"- {part.replace('_', ' ')}: {one['what']}: {one['figure']} (target: {one['target']})"
        for part in PARTS
        for one in stored.get(part, {"figures": []})["figures"]
        if not one["met"]
    ]
    absent = [f"- {part.replace('_', ' ')}: not measured" for part in PARTS if part not in stored]
    count = sum(len(entry["figures"]) for entry in stored.values())
    if not missed and not absent:
        return f"All {count} figures below meet their targets where they have one."
    return "\n".join(["What falls short:", "", *missed, *absent])


def _source(part: str) -> str:
    return (Path(__file__).parent / f"{part}.py").read_text(encoding="utf-8")
