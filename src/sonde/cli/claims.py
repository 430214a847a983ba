"""Claims in the terminal: the verdicts after a run, and what a plan can say of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.cli.console import heading, say, table

if TYPE_CHECKING:
    from sonde.experiments.claims.judged import Judged
    from sonde.experiments.spec import Specification


def print_claims(judged: "Sequence[Judged]") -> None:
    """Print a table of verdicts, then what would decide the undecided and what is odd about any."""
    if not judged:
        return
    heading("Claims")
    table(
        ("claim", "", "verdict", "effect", "boundary", "n", "p"),
        [_row(one) for one in judged],
    )
    for one in judged:
        say(f"{one.label}: {one.verdict.why}")
        if one.verdict.advice:
            say(f"  {one.verdict.advice}")
        for mark in one.marks:
            if mark not in one.verdict.why:
                say(f"  {mark}")


def _row(one: "Judged") -> tuple[str, ...]:
    from sonde.experiments.claims.correction import p_in_words
    from sonde.experiments.claims.wording import bound_in_words, signed

    verdict = one.verdict
    effect = verdict.effect
    interval = f"[{signed(effect.low)}, {signed(effect.high)}]" if effect else ""
    p = verdict.p if verdict.p_adjusted is None else verdict.p_adjusted
    return (
        one.label,
        one.mode,
        verdict.verdict,
        f"{signed(effect.value)} {interval}" if effect else "–",
        "" if verdict.boundary is None else bound_in_words(verdict.boundary),
        f"{verdict.n:,}" if verdict.n else "–",
        "" if p is None else p_in_words(p).removeprefix("p = ").removeprefix("p "),
    )


def print_claims_planned(spec: "Specification", out: Path, ledger: str | None) -> None:
    """Print the claims of a file, and whether they can still be registered before results."""
    if not spec.claims:
        return
    from sonde.experiments.claims.planned import planned_claims
    from sonde.ledger.ledger import default_ledger

    where = ledger or default_ledger(out)
    heading("Claims")
    table(
        ("claim", "", "statement", "registered"),
        [
            (one.name, one.mode, one.statement, one.standing)
            for one in planned_claims(spec, out.resolve() / spec.name, where)
        ],
    )
