"""The verdicts on the claims, with the numbers behind them and what would decide more."""

from collections.abc import Mapping

from sonde.experiments.log.asked import minute
from sonde.experiments.log.history import History
from sonde.experiments.log.markdown import bullets, code, escape, table
from sonde.ledger.records import Registration, VerdictRow
from sonde.ledger.wording import difference_in_words

COLUMNS = (
    "claim",
    "variant",
    "verdict",
    "effect [interval]",
    "bound",
    "p",
    "corrected p",
    "n",
    "run",
)


def judged(history: History) -> str:
    """Return the newest verdict on each claim as a table, and each in words."""
    latest = {(one.name, one.variant): one for one in history.verdicts}
    if not latest:
        said = "No claim was judged." if history.claims else "No claims were registered."
        return f"## Verdicts\n\n{said}"
    claims = {one.id: one for one in history.claims}
    rows = [_row(one) for one in latest.values()]
    parts = ["## Verdicts", table(COLUMNS, rows, numbers=range(4, 9))]
    parts.append(bullets(_words(one, claims, history) for one in latest.values()))
    return "\n\n".join(parts)


def _row(one: VerdictRow) -> tuple[str, ...]:
    return (
        code(one.name),
        code(one.variant),
        escape(one.verdict) + (" (post hoc)" if one.post_hoc else ""),
        difference_in_words(one.effect) if one.effect else "",
        "" if one.boundary is None else f"{one.boundary:g}".replace("-", "−"),
        _p(one.p),
        _p(one.p_adjusted),
        f"{one.n:,}",
        str(one.run),
    )


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _words(one: VerdictRow, claims: Mapping[int, Registration], history: History) -> str:
    where = f" in {code(one.variant)}" if one.variant else ""
    words = f"{code(one.name)}{where}, “{escape(one.statement)}”: **{escape(one.verdict)}**."
    if one.why:
        words += f" {escape(one.why)}"
    if one.advice:
        words += f" {escape(one.advice)}"
    claim = claims.get(one.claim)
    if claim is not None:
        words += f" Registered {minute(claim.registered)}, judged {minute(one.recorded)}."
    earlier = [
        f"{before.verdict} in run {before.run}"
        for before in history.verdicts
        if (before.name, before.variant) == (one.name, one.variant)
        and before.run < one.run
        and before.verdict != one.verdict
    ]
    return words + (f" Before that it was {', '.join(map(escape, earlier))}." if earlier else "")
