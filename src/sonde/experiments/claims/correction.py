"""Correction of confirmatory verdicts for how many questions were asked."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist
from typing import TypeVar

from sonde.experiments.claims.judging import Finding
from sonde.experiments.claims.specification import Correction
from sonde.experiments.claims.wording import advised

Key = TypeVar("Key")
NAMES = {"holm": "Holm", "benjamini_hochberg": "Benjamini–Hochberg"}
POWER = 0.8


def corrected(
    findings: Mapping[Key, Finding], levels: Mapping[Key, float], correction: Correction
) -> dict[Key, Finding]:
    """Adjust the p-values of a family, and take back what does not stand the correction.

    A finding without a p-value could not be tested, because its result is missing or its baseline
    leaves no room. It counts as p = 1: what came out must not make the family smaller than it was
    when it was registered. A verdict stands where its adjusted p-value is below 1 − level.
    """
    tested = [key for key, finding in findings.items() if finding.p is not None]
    if correction == "none" or not tested:
        return dict(findings)
    import numpy as np

    from sonde.stats.multiplicity import benjamini_hochberg, holm

    adjust = holm if correction == "holm" else benjamini_hochberg
    values = [1.0 if finding.p is None else finding.p for finding in findings.values()]
    adjusted = dict(zip(findings, adjust(np.array(values, np.float64)).tolist(), strict=True))
    changed = {
        key: _with_adjusted(findings[key], adjusted[key], levels[key], (correction, len(findings)))
        for key in tested
    }
    return {key: changed.get(key, finding) for key, finding in findings.items()}


def _with_adjusted(
    finding: Finding, adjusted: float, level: float, made: tuple[Correction, int]
) -> Finding:
    alpha = 1 - level
    # Equal p-values at alpha itself come from rounding; one question is its own family.
    if finding.verdict == "inconclusive" or adjusted < alpha or made[1] == 1:
        return replace(finding, p_adjusted=adjusted)
    correction, count = made
    assert finding.p is not None
    said = f"{finding.why[:-1]}; alone it is {finding.verdict} ({p_in_words(finding.p)}), "
    said += (
        f"but not after {NAMES[correction]}'s correction over {count} questions (adjusted "
        f"{p_in_words(adjusted)})."
    )
    needed = _units_needed(finding.p, alpha * finding.p / adjusted, finding.n)
    advice = f"Ask fewer confirmatory questions. {advised(needed, finding.n)}"
    return replace(finding, verdict="inconclusive", why=said, advice=advice, p_adjusted=adjusted)


def _units_needed(p: float, alpha: float, n: int) -> float:
    """Return the units with which a stricter two-sided alpha would be met with power 0.8.

    n ((z(1 - alpha / 2) + z(power)) / z(1 - p / 2))²: z grows with the square root of n.
    """
    normal = NormalDist()
    reached = -normal.inv_cdf(p / 2)
    wanted = -normal.inv_cdf(alpha / 2) + normal.inv_cdf(POWER)
    return n * (wanted / reached) ** 2


def p_in_words(p: float) -> str:
    """Write a p-value: ``p = 0.013``, ``p < 0.0001``."""
    if p < 1e-4:
        return "p < 0.0001"
    return f"p = {p:.4f}" if p < 0.01 else f"p = {p:.3f}"
