"""References to numbers: ``STAGE.RESULT``, ``STAGE.RESULT/NAME``, ``STAGE.RESULT [VARIANT]``."""

import re
from dataclasses import dataclass, replace

from sonde.core.errors import SondeError

_PARTS = re.compile(
    r"(?P<stage>[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<result>[^/]+?)(?:/(?P<against>[^/]+?))?"
    r"(?: +\[(?P<variant>.+)\])?"
)
HOW = (
    "Write STAGE.RESULT, such as news.selected; add /NAME for a control or baseline of it "
    "(news.selected/bag of tokens) and [VARIANT] for a variant of a sweep (news.selected [seed=1])."
)


@dataclass(frozen=True, slots=True)
class ResultReference:
    """A result of a stage, or a control or baseline of that result.

    ``variant`` is the label of a sweep's variant; empty: the variant that is being judged.
    """

    stage: str
    result: str
    against: str = ""
    variant: str = ""

    def __str__(self) -> str:
        against = f"/{self.against}" if self.against else ""
        variant = f" [{self.variant}]" if self.variant else ""
        return f"{self.stage}.{self.result}{against}{variant}"

    def within(self, variant: str) -> "ResultReference":
        """Return the same in a variant, unless it names one of its own."""
        return self if self.variant else replace(self, variant=variant)


def parse_reference(text: str) -> ResultReference:
    """Read a reference.

    The variant stands in brackets after a space, at the end: brackets without a space belong to a
    position (``news.blocks.3.resid_post prompt[-1]``).

    Raises:
        SondeError: the text does not follow the grammar.
    """
    found = _PARTS.fullmatch(" ".join(text.split()))
    if found is None:
        raise SondeError(f"{text!r} does not name a result.", fix=HOW)
    parts = {name: (part or "").strip() for name, part in found.groupdict().items()}
    return ResultReference(**parts)
