"""The verdict on ``all_of``: from those on its parts."""

from collections import Counter
from collections.abc import Mapping

from sonde.experiments.claims.judging import Finding, Word

SHOWN = 6  # parts named in the reason


def composed(parts: Mapping[str, Finding]) -> Finding:
    """Judge a claim that all of its parts hold; ``parts`` are named with their variants.

    Confirmed where all are, refuted where all are, partial where some are confirmed and others not,
    inconclusive otherwise. To confirm all, each is tested at its own level and nothing is corrected
    (Berger 1982, intersection–union); the p-value is the largest of them.
    """
    counts: Counter[Word] = Counter(finding.verdict for finding in parts.values())
    verdict = _verdict(counts, len(parts))
    values = [finding.p for finding in parts.values()]
    known = [p for p in values if p is not None]
    open_parts = [name for name, finding in parts.items() if finding.verdict != "confirmed"]
    return Finding(
        verdict,
        _why(parts, counts),
        _advice(parts, open_parts) if verdict in ("inconclusive", "partial") else "",
        p=max(known) if len(known) == len(values) else None,
        n=min(finding.n for finding in parts.values()),
    )


def _verdict(counts: Counter[Word], n: int) -> Word:
    if counts["confirmed"] == n:
        return "confirmed"
    if counts["refuted"] == n:
        return "refuted"
    return "partial" if counts["confirmed"] else "inconclusive"


def _why(parts: Mapping[str, Finding], counts: Counter[Word]) -> str:
    """Count the verdicts, and name the parts of each but the confirmed ones first."""
    words: tuple[Word, ...] = ("refuted", "inconclusive", "partial", "confirmed")
    said: list[str] = []
    for word in words:
        names = [name for name, finding in parts.items() if finding.verdict == word]
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            said.append(f"{word}: {', '.join(names[:SHOWN])}{more}")
    be = "is" if counts["confirmed"] == 1 else "are"
    return f"{counts['confirmed']} of {len(parts)} parts {be} confirmed ({'; '.join(said)})."


def _advice(parts: Mapping[str, Finding], open_parts: list[str]) -> str:
    for name in open_parts:
        if parts[name].advice:
            return f"{name}: {parts[name].advice}"
    return ""
