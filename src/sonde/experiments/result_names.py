"""What a stage will have results for, as far as that is known before it runs."""

from dataclasses import dataclass

from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point


@dataclass(frozen=True, slots=True)
class ResultNames:
    """``names`` are there whatever the data; with ``hook_points`` there is one for each place read.

    A place is a hook point (``blocks.12.resid_post``), followed by its position where there are
    several. ``of_targets`` are names that may be followed by the name of one of several targets.
    ``against`` are the controls and baselines that a result may have.
    """

    names: tuple[str, ...] = ()
    hook_points: bool = False
    against: tuple[str, ...] = ()
    of_targets: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there are results at all."""
        return bool(self.names) or self.hook_points

    def has(self, name: str) -> bool:
        """Whether a result may have this name."""
        target = any(name.startswith(f"{whole} ") for whole in self.of_targets)
        return name in self.names or target or self.is_place(name)

    def is_place(self, name: str) -> bool:
        """Whether a name is that of a place read."""
        return self.hook_points and _is_place(name)

    @property
    def words(self) -> str:
        """The names as a reader is told them."""
        places = ("blocks.<layer>.<site> for each hook point read",) if self.hook_points else ()
        targets = (f"{whole} <target> where there are several" for whole in self.of_targets)
        return ", ".join((*self.names, *targets, *places))


def _is_place(name: str) -> bool:
    hook = name.split(" ", 1)[0]
    try:
        return str(parse_hook_point(hook)) == hook
    except SondeError:
        return False
