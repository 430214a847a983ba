"""Names of runs in trackers, from a template: ``probe-layers5-gemma-3-270m``, not a number."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from string import Formatter
from typing import Any

from sonde.core.errors import nearest
from sonde.experiments.trackers.tracker import RunFacts

FIELDS = ("name", "variant", "model", "run")
TEMPLATE = "{name}-{variant}-{model}"
LONGEST = 120  # characters of a name; W&B takes 128


def check_template(template: str) -> str:
    """Return the template as it is.

    Raises:
        ValueError: it has a field that runs do not have, or an open brace.
    """
    for _, field, specification, conversion in Formatter().parse(template):
        if field is None:
            continue
        if field not in FIELDS or specification or conversion:
            raise ValueError(
                f"{{{field}}} is not a part of a run's name.{nearest(field, FIELDS)} Parts are "
                f"{', '.join(f'{{{name}}}' for name in FIELDS)}"
            )
    if not template.strip():
        raise ValueError("the name is empty")
    return template


def run_name(template: str, facts: RunFacts) -> str:
    """Fill the template; an empty part goes with the separator before it."""
    parts = {
        "name": facts.experiment,
        "variant": facts.variant,
        "model": facts.model,
        "run": str(facts.run),
    }
    for field, value in parts.items():
        if not value:
            template = re.sub(rf"[-_ /]?\{{{field}\}}", "", template)
    name = template.format(**parts).strip("-_ /")
    return name[:LONGEST] or facts.experiment


def short_variant(changes: Mapping[str, Any]) -> str:
    """Return swept values for a name: ``acts.layers`` 5 and ``seed`` 1 are ``layers5-seed1``."""
    return "-".join(_short(path, value) for path, value in changes.items())


def _short(path: str, value: Any) -> str:
    key = path.rpartition(".")[2]
    text = re.sub(r"[\s/\\]+", "_", str(value))
    return f"{key}{text}" if text[:1].isdigit() else f"{key}-{text}"


def short_model(name: str) -> str:
    """Return a model's name without its owner, folder or file ending; ``random:`` stays visible."""
    kind, colon, rest = name.rpartition(":")
    last = PurePath(rest).name or rest
    last = re.sub(r"\.(gguf|json)$", "", last)
    return f"{kind}-{last}" if colon else last


def file_name(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("._") or "run"
