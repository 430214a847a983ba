"""The order of stages: inputs first, and stages that share a model next to each other."""

from collections.abc import Mapping, Sequence

from sonde.core.errors import SondeError


def ordered(needs: Mapping[str, Sequence[str]], models: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names so that each comes after what it needs.

    Among those that are ready, one that uses the model in memory comes first, or one that leads to
    such a stage, so that a model is loaded once; otherwise the order of the file decides.
    ``models`` names the model of each stage that uses one.

    Raises:
        SondeError: stages need each other in a circle.
    """
    left = dict(needs)
    done: list[str] = []
    loaded: str | None = None
    while left:
        ready = [name for name, wanted in left.items() if not set(wanted) & set(left)]
        if not ready:
            circle = _circle(left)
            raise SondeError(
                f"Stages need each other in a circle: {' → '.join(circle)}.",
                fix="Let one of them read something else.",
            )
        waiting = [name for name in left if loaded is not None and models.get(name) == loaded]
        leading = _before(waiting, left)
        same = [name for name in ready if name in waiting]
        towards = [name for name in ready if name in leading and name not in models]
        chosen = (same or towards or ready)[0]
        loaded = models.get(chosen, loaded)
        done.append(chosen)
        del left[chosen]
    return tuple(done)


def _before(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return everything that some stages wait for, directly or through others."""
    found: set[str] = set()
    queue = [wanted for name in names for wanted in needs[name]]
    while queue:
        name = queue.pop()
        if name in needs and name not in found:
            found.add(name)
            queue += needs[name]
    return found


def _circle(left: Mapping[str, Sequence[str]]) -> list[str]:
    """Walk along the needs until a stage comes up again."""
    walk: list[str] = []
    name = next(iter(left))
    while name not in walk:
        walk.append(name)
        name = next(wanted for wanted in left[name] if wanted in left)
    return [*walk[walk.index(name) :], name]
