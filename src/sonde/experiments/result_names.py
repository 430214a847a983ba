"""What a stage will have results for, as far as that is known before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point


@dataclass(frozen=True, slots=True)
class ResultNames:
    """``names`` are there whatever the data; with ``hook_points`` there is one for each place read.

    A place is a hook point (``blocks.12.resid_post``), followed by its position where there are
    several. ``with_names`` are words that a name begins with whose rest only the data say, and what
    that is: ``{"selected": "target"}`` for ``selected latitude``. ``against`` are the controls and
    baselines that a result may have. ``whole`` are names whose results keep no scores of single
    units, which a claim is judged on, each with the result that says the like and does.
    """

    names: tuple[str, ...] = ()
    hook_points: bool = False
    against: tuple[str, ...] = ()
    with_names: Mapping[str, str] = field(default_factory=dict[str, str])
    whole: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def any(self) -> bool:
        """Whether there are results at all."""
        return bool(self.names) or self.hook_points or bool(self.with_names)

    def has(self, name: str) -> bool:
        """Whether a result may have this name."""
        begun = any(name.startswith(f"{word} ") for word in self.with_names)
        return name in self.names or begun or self.is_place(name)

    def is_place(self, name: str) -> bool:
        """Whether a name is that of a place read."""
        return self.hook_points and _is_place(name)

    @property
    def words(self) -> str:
        """The names as a reader is told them."""
        places = ("blocks.<layer>.<site> for each hook point read",) if self.hook_points else ()
        begun = (f"{word} <{rest}>" for word, rest in self.with_names.items())
        return ", ".join((*self.names, *begun, *places))


def _is_place(name: str) -> bool:
    hook = name.split(" ", 1)[0]
    try:
        return str(parse_hook_point(hook)) == hook
    except SondeError:
        return False
