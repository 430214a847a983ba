"""Claims that were judged on the same results and are no longer made."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from sonde.core.files import fingerprint
from sonde.experiments.claims.along import Changes
from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.questions import questions_of
from sonde.experiments.claims.specification import AnyClaim
from sonde.ledger.records import Registration

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

HASH = 16  # digits of a fingerprint; a verdict's inputs begin with that of the results it read


def withdrawn_questions(
    ledger: "Ledger",
    experiment: str,
    kept: Collection[int],
    variants: Mapping[str, Changes],
    findings: Findings,
) -> dict[tuple[str, str], float]:
    """Return the p-values of confirmatory questions that were answered and are asked no more.

    Were they left out of the family, taking failed claims out of the file would let others stand.
    Only verdicts on the results at hand count: those on other data belong to another family.

    Args:
        ledger: where they were registered and judged.
        experiment: its name.
        kept: registrations of claims that the file still makes.
        variants: of the file.
        findings: what claims are judged on now.
    """
    known = {
        one.id: one
        for one in ledger.registrations(experiment)
        if one.id not in kept
        and not one.after_results
        and one.content.get("mode") == "confirmatory"
    }
    reads = {number: _reads(one, variants, findings) for number, one in known.items()}
    found: dict[tuple[str, str], float] = {}
    for verdict in ledger.verdicts(experiment=experiment) if known else ():
        read = reads.get(verdict.claim, {}).get(verdict.variant)
        if verdict.p is not None and read == verdict.inputs[:HASH]:
            name = f"{known[verdict.claim].name} ({verdict.claim})"  # a changed one keeps its name
            found[name, verdict.variant] = verdict.p
    return found


def _reads(
    registration: Registration, variants: Mapping[str, Changes], findings: Findings
) -> dict[str, str]:
    """Return the hash of what each question of a registered claim would read now."""
    content = {name: value for name, value in registration.content.items() if name != "parts"}
    try:
        questions = questions_of(TypeAdapter[AnyClaim](AnyClaim).validate_python(content), variants)
        return {
            label: fingerprint({str(one): findings.state(one) for one in question.references})
            for label, question in questions.items()
        }
    except (ValidationError, KeyError):  # of another version, or about variants that are gone
        return {}
