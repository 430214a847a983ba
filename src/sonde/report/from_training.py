"""Training curves from what was logged while a dictionary trained."""

from collections.abc import Mapping, Sequence

from sonde.report.sections.training_curves import COLOURS, TrainingCurve, TrainingCurves
from sonde.report.wording import count, counted
from sonde.stats.interval import Interval

POINTS = 120  # more would weigh much and show little
OF_TARGET = "fvu/"
HELD_OUT = "held_out/"  # before the names of figures of rows that training never sees


def training_from(
    history: Sequence[Mapping[str, float]],
    *,
    held_out: Mapping[str, Interval],
    prefixes: Sequence[int] = (),
    batch: int,
    window: int,
    title: str = "Training",
) -> TrainingCurves | None:
    """Draw a dictionary's history: a row for each step that was logged; None where none was.

    FVU is that of rows which training never sees where the history has it, with that of its
    batches beside. ``held_out`` are figures of all such rows, by the names that the history has.
    ``prefixes`` are the numbers of latents of the nested dictionaries, the whole one last.
    ``window`` is the rows after which a silent latent is dead, ``batch`` the rows of a step. Of
    many steps ``POINTS`` are drawn, evenly spaced.
    """
    if not history:
        return None
    rows = [history[at] for at in _spaced(len(history), POINTS)]
    unseen = HELD_OUT if HELD_OUT + "fvu" in rows[0] else ""

    def curve(key: str, name: str, before: str = "") -> TrainingCurve:
        return TrainingCurve(name, tuple(row.get(before + key) for row in rows), held_out.get(key))

    nested = prefixes[:-1] if len(prefixes) > 1 else ()
    parts = [
        curve(f"fvu_prefix_{number}", f"the first {count(size)}", unseen)
        for number, size in enumerate(nested, 1)
    ]
    targets = [key for key in rows[0] if key.startswith(OF_TARGET)]
    parts += [curve(key, key[len(OF_TARGET) :], unseen) for key in targets]
    whole = f"all {counted(prefixes[-1], 'latent')}" if nested else "all"
    if unseen and not parts:  # how far it learns its own rows by heart
        whole = "held-out rows"
        parts = [TrainingCurve("training batches", tuple(row.get("fvu") for row in rows))]
    return TrainingCurves(
        steps=tuple(int(row["step"]) for row in rows),
        fvu=(curve("fvu", whole, unseen), *parts[: COLOURS - 1]),
        unseen=bool(unseen),
        l0=curve("l0", "L0"),
        dead=curve("dead", "dead"),
        batch=batch,
        window=window,
        note=_note(len(history), len(rows), parts[COLOURS - 1 :]),
        title=title,
    )


def _spaced(number: int, most: int) -> list[int]:
    """Return so many indices at most, evenly spaced from the first to the last."""
    if number <= most:
        return list(range(number))
    return [round(at * (number - 1) / (most - 1)) for at in range(most)]


def _note(logged: int, drawn: int, left_out: Sequence[TrainingCurve]) -> str:
    said: list[str] = []
    if drawn < logged:
        said.append(f"{count(drawn)} of {count(logged)} logged steps are drawn.")
    if left_out:
        said.append(f"Not drawn: {', '.join(one.name for one in left_out)}.")
    return " ".join(said)
