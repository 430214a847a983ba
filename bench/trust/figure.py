"""One measured figure of the page about trust."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, what it is held against, what came out, and whether it holds.

    Figures of one ``section`` share a table. An empty ``target`` means that the figure is shown
    beside others for comparison; ``met`` is then True.
    """

    section: str
    what: str
    target: str
    figure: str
    met: bool
