"""Registration: what is claimed goes into the ledger, with its time, before results exist."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.files import fingerprint
from sonde.experiments.claims.foreseen import Foreseen
from sonde.experiments.claims.specification import AllOf, Claims, content_of
from sonde.experiments.spec import Planned, Specification
from sonde.ledger.records import ClaimStart, Registration

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

DECIDING = ("seed", "model", "stages", "correction")  # keys of the file that results depend on
MOST_NAMED = 3  # runs


def register(spec: Specification, root: Path, ledger: "Ledger") -> tuple[Registration, ...]:
    """Register the claims of an experiment that is about to run, in the order of the file.

    A claim that says what an earlier registration says keeps the earlier time.
    """
    return ledger.register(claim_starts(spec, root, ledger))


def claim_starts(spec: Specification, root: Path, ledger: "Ledger | None") -> list[ClaimStart]:
    """Return the claims as they would be registered now; without a ledger nothing is known of it.

    ``after_results`` says that a result which the claim reads exists, or one that answers the same
    question (see ``sonde.ledger.questions``), or that the claim replaces one that was judged: then
    its author may know what came out.
    """
    judged = _judged_names(spec.name, ledger)
    changed = spec_hash(spec)
    planned = Foreseen.of(spec)
    starts: list[ClaimStart] = []
    for name in spec.claims:
        content = content_of(name, spec.claims)
        known = fingerprint(content)
        asked = planned.of_stages(stages_read(name, spec.claims))
        late = asked.have_results(root, ledger) or bool(judged.get(name, set()) - {known})
        starts.append(
            ClaimStart(
                experiment=spec.name,
                name=name,
                content=content,
                hash=known,
                spec_hash=changed,
                after_results=late,
                purpose=spec.variants[0].experiment.purpose,
            )
        )
    return starts


def runs_that_answered(
    spec: Specification, names: Collection[str], ledger: "Ledger | None", before: str = ""
) -> str:
    """Return, in words, the runs whose results make claims late; empty where there is none.

    Args:
        spec: the experiment file.
        names: the claims.
        ledger: where runs are looked for.
        before: the time by which they had begun; without one all count.
    """
    if ledger is None:
        return ""
    read = {stage for name in names for stage in stages_read(name, spec.claims)}
    numbers = Foreseen.of(spec).of_stages(read).runs_in(ledger)
    runs = [detail.run for detail in ledger.details(numbers[:MOST_NAMED])]
    words = [
        f"{run['id']} ({run['name']})" for run in runs if not before or run["started"] < before
    ]
    more = len(numbers) - MOST_NAMED
    words += [f"{more} more"] if words and more > 0 else []
    return f"run{'s' if len(words) > 1 else ''} {', '.join(words)}" if words else ""


def spec_hash(spec: Specification) -> str:
    """Return the hash of everything in the file that decides results and how they are judged.

    Texts, other claims and the pages that show results are left out.
    """
    return fingerprint([[one.label, _deciding(one)] for one in spec.variants])


def _deciding(planned: Planned) -> dict[str, Any]:
    experiment = planned.experiment
    content = experiment.model_dump(mode="json", include=set(DECIDING))
    shown = {name for name, stage in experiment.stages.items() if stage.shows_claims}
    content["stages"] = {
        name: stage for name, stage in content["stages"].items() if name not in shown
    }
    return content


def stages_read(name: str, claims: Claims) -> tuple[str, ...]:
    """Return the stages whose results decide a claim, those of its parts included."""
    claim = claims[name]
    if isinstance(claim, AllOf):
        return tuple(dict.fromkeys(one for part in claim.of for one in stages_read(part, claims)))
    return tuple(dict.fromkeys(reference.stage for reference in claim.references()))


def _judged_names(experiment: str, ledger: "Ledger | None") -> Mapping[str, set[str]]:
    """Return, by the name of a claim, the hashes under which it was judged before."""
    if ledger is None:
        return {}
    hashes = {one.id: (one.name, one.hash) for one in ledger.registrations(experiment)}
    found: dict[str, set[str]] = {}
    for verdict in ledger.verdicts(experiment=experiment):
        name, known = hashes[verdict.claim]
        found.setdefault(name, set()).add(known)
    return found
