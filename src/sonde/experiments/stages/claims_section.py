"""From verdicts on claims to the section of a report that shows them."""

from collections.abc import Sequence
from typing import cast

from sonde.experiments.claims.correction import p_in_words
from sonde.experiments.claims.judged import SETTINGS_CHANGED, Judged
from sonde.report import Claims, ClaimView
from sonde.report.sections.claims import Verdict


def claims_section(judged: Sequence[Judged]) -> Claims:
    """Show each claim with its verdict, in the order of the file."""
    return Claims(tuple(_view(one) for one in judged))


def _view(one: Judged) -> ClaimView:
    verdict = one.verdict
    return ClaimView(
        name=one.label,
        statement=verdict.statement,
        verdict=cast("Verdict", verdict.verdict),
        mode=one.mode,
        why=verdict.why.removesuffix(SETTINGS_CHANGED).strip(),  # which is one of the marks
        advice=verdict.advice,
        effect=verdict.effect,
        bounds=one.bounds,
        marks=one.marks,
        facts=_facts(one),
    )


def _facts(one: Judged) -> tuple[tuple[str, str], ...]:
    registered = one.registration.registered
    facts = [
        ("Decided by", one.decided),
        ("Registered (UTC)", f"{registered[:10]} {registered[11:16]}"),
    ]
    if one.verdict.p is not None:
        said = p_in_words(one.verdict.p)
        if one.verdict.p_adjusted is not None:
            said += f", corrected {p_in_words(one.verdict.p_adjusted)}"
        facts.append(("Two-sided test", said))
    return tuple(facts)
