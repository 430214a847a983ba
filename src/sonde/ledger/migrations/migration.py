"""What a migration is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

# A statement, or a function where a statement cannot say it. {id} and {bytes} become the dialect's
# way to number rows and to name bytes.
Step: TypeAlias = str | Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Migration:
    """A change of the schema, step by step."""

    number: int
    what: str
    steps: tuple[Step, ...]
