"""The order of stages: inputs first, and stages that share a model next to each other."""

from collections.abc import Mapping, Sequence

from sonde.core.errors import SondeError


def ordered(needs: Mapping[str, Sequence[str]], models: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names so that each comes after what it needs.

    Among those that are ready, one that uses the model in memory comes first, so that a model is
    loaded once; otherwise the order of the file decides. ``models`` names the model of each stage
    that uses one.

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
        same = [name for name in ready if loaded is not None and models.get(name) == loaded]
        # Without one that fits, stages without a model go last only if something else waits for
        # the model; file order is easier to follow, so it decides.
        chosen = (same or ready)[0]
        loaded = models.get(chosen, loaded)
        done.append(chosen)
        del left[chosen]
    return tuple(done)


def _circle(left: Mapping[str, Sequence[str]]) -> list[str]:
    """Walk along the needs until a stage comes up again."""
    walk: list[str] = []
    name = next(iter(left))
    while name not in walk:
        walk.append(name)
        name = next(wanted for wanted in left[name] if wanted in left)
    return [*walk[walk.index(name) :], name]
