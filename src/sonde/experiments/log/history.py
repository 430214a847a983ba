"""What the ledger knows of one experiment, in the order in which it happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonde.core.files import fingerprint
from sonde.ledger.records import (
    DONE,
    REUSED,
    SMOKE,
    SUPERSEDED,
    Registration,
    ResultRow,
    RunDetail,
    RunFilter,
    VerdictRow,
)


@dataclass(frozen=True, slots=True)
class History:
    """The runs of an experiment, oldest first, its registered claims and their verdicts.

    ``ledger`` says where it was read; it is empty where there is no ledger yet.
    """

    name: str
    runs: tuple[RunDetail, ...] = ()
    claims: tuple[Registration, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    ledger: str = ""

    def registered(self, name: str, content: Mapping[str, Any]) -> Registration | None:
        """Return the registration by which a claim that says this stands, if there is one."""
        from sonde.ledger.claims import registered_as

        known = [one for one in self.claims if one.name == name]
        return registered_as(known, fingerprint(dict(content)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A stage's result as it stands: its row in the newest run that has one, for some variants."""

    variants: tuple[str, ...]  # labels
    run: int
    stage: Mapping[str, Any]
    results: tuple[ResultRow, ...]


def history_of(name: str, where: str) -> History:
    """Read the history of an experiment from the ledger at a path or URL.

    Raises:
        SondeError: the ledger cannot be opened.
    """
    from sonde.ledger.ledger import Ledger

    path = None if "://" in where else Path(where).expanduser().resolve()
    if path is not None and not path.exists():
        return History(name)
    ledger = Ledger.open(where, create=False)
    rows = ledger.list(RunFilter(name=name), limit=None)
    return History(
        name,
        ledger.details(sorted(row.id for row in rows)),
        ledger.registrations(name),
        ledger.verdicts(experiment=name),
        ledger.engine.url.render_as_string(hide_password=True) if path is None else str(path),
    )


def standing(history: History) -> dict[str, list[Standing]]:
    """Return the results that stand, by stage: of the newest runs that were not superseded.

    A smoke run counts only where nothing else did the stage. Variants that share a result (their
    stage has the same key) share an entry.
    """
    found: dict[str, dict[str, Standing]] = {}
    for detail, stage in _candidates(history.runs):
        label = str(detail.run["variant"])
        results = tuple(one for one in detail.results if one.stage == stage["name"])
        entry = Standing((label,), int(detail.run["id"]), stage, results)
        found.setdefault(str(stage["name"]), {})[label] = entry
    return {name: _shared(list(entries.values())) for name, entries in found.items()}


def _candidates(runs: Sequence[RunDetail]) -> Iterator[tuple[RunDetail, Mapping[str, Any]]]:
    """Yield every stage that has a result; what comes later counts."""
    for smoke in (True, False):
        for detail in runs:
            if (detail.run["purpose"] == SMOKE) is smoke and detail.run["state"] != SUPERSEDED:
                for stage in detail.stages:
                    if stage["state"] in (DONE, REUSED):
                        yield detail, stage


def _shared(entries: Sequence[Standing]) -> list[Standing]:
    by_key: dict[str, Standing] = {}
    for entry in entries:
        key = str(entry.stage["key"])
        before = by_key.get(key)
        labels = (*before.variants, *entry.variants) if before else entry.variants
        by_key[key] = Standing(labels, entry.run, entry.stage, entry.results)
    return list(by_key.values())


def runs_in_words(numbers: Sequence[int]) -> str:
    """Return ``run 3`` or ``runs 1–3 and 5``."""
    ordered = sorted(set(numbers))
    spans: list[list[int]] = []
    for number in ordered:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    words: list[str] = []
    for span in spans:
        words += [f"{span[0]}–{span[-1]}"] if len(span) > 2 else map(str, span)
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"run{'s' if len(ordered) > 1 else ''} {listed}"
