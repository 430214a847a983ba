"""One report: what was asked, the answer, and the sections, written as one self-contained file."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sonde.core.errors import SondeError
from sonde.core.files import write_text
from sonde.report.answer import Answer, forest
from sonde.report.colours import css_rules
from sonde.report.sections import SECTIONS, Section
from sonde.report.visible import readable

STYLES = (
    "page.css",
    "claims.css",
    "charts.css",
    "matrices.css",
    "steering.css",
    "tokens.css",
    "latents.css",
    "print.css",
    "frame.css",
)
SCRIPTS = (
    "charts.js",
    "confusion.js",
    "tokens.js",
    "latent.js",
    "latents.js",
    "print.js",
    "frame.js",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows, from top to bottom.

    ``facts`` are the few pairs of a name and a value that belong under the title; ``made`` says
    when, in words, and is left out of a report that must come out the same each time.
    """

    title: str
    question: str
    sections: tuple[Section, ...]
    answer: Answer | None = None
    facts: tuple[tuple[str, str], ...] = ()
    made: str = ""


def write_report(report: Report, path: Path | str) -> Path:
    """Write the report as one HTML file that needs no other, and return its path.

    Raises:
        SondeError: the disk is full, or the folder may not be written to.
    """
    target = Path(path)
    write_text(target, readable(render(report)))
    return target


def render(report: Report, *, inside: bool = False) -> str:
    """Return the page; ``inside`` is closer set, without head and foot, for a frame.

    Every text is escaped. The page's own style and script are allowed by their hashes and nothing
    else is: no other script runs, and nothing is loaded.

    Raises:
        SondeError: a section's kind is not in the table.
    """
    environment = _environment()
    parts: list[dict[str, object]] = []
    for number, section in enumerate(report.sections, 1):
        if section.kind not in SECTIONS:
            raise SondeError(
                f"{section.kind!r} is not a kind of section.",
                fix=f"Kinds are {', '.join(SECTIONS)}.",
            )
        template = environment.get_template(f"{section.kind}.html")
        shown = SECTIONS[section.kind](section)
        body = template.render(section=section, number=number, **shown)
        parts.append({"title": section.title, "kind": section.kind, "body": Markup(body)})  # noqa: S704
    style, script = _style(), _script()
    return environment.get_template("page.html").render(
        report=report,
        inside=inside,
        forest=forest(report.answer) if report.answer else "",
        parts=parts,
        style=Markup(style),  # noqa: S704  (this package's own files)
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sonde.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _unbroken(value: Any) -> Any:
    """Keep a number and its percent sign on one line, in texts but not in markup or data."""
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", value) if type(value) is str else value


@cache
def _style() -> str:
    return "\n".join([*(_asset(name) for name in STYLES), css_rules()])


@cache
def _script() -> str:
    return "\n".join(_asset(name) for name in SCRIPTS)


def _asset(name: str) -> str:
    return (files("sonde.report") / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
