"""Registration: what is claimed goes into the ledger, with its time, before results exist."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.experiments.claims.specification import AllOf, Claims, content_of
from sonde.experiments.keys import key_of, made_of
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import DONE as MARKER
from sonde.ledger.records import DONE, ClaimStart, Registration

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

DECIDING = ("seed", "model", "stages", "correction")  # keys of the file that results depend on


def register(spec: Specification, root: Path, ledger: "Ledger") -> tuple[Registration, ...]:
    """Register the claims of an experiment that is about to run, in the order of the file.

    A claim that says what an earlier registration says keeps the earlier time.
    """
    return ledger.register(claim_starts(spec, root, ledger))


def claim_starts(spec: Specification, root: Path, ledger: "Ledger | None") -> list[ClaimStart]:
    """Return the claims as they would be registered now; without a ledger nothing is known of it.

    ``after_results`` says that a result which the claim reads exists, or that the claim replaces
    one that was judged: then its author may know what came out.
    """
    judged = _judged_names(spec.name, ledger)
    changed = spec_hash(spec)
    keys = [known_keys(planned) for planned in spec.variants]
    starts: list[ClaimStart] = []
    for name in spec.claims:
        content = content_of(name, spec.claims)
        known = fingerprint(content)
        read = stages_read(name, spec.claims)
        places = {(stage, one[stage]) for one in keys for stage in read if stage in one}
        late = _have_results(places, root, ledger) or bool(judged.get(name, set()) - {known})
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


def known_keys(planned: Planned) -> dict[str, str]:
    """Return the keys of a variant's stages, as far as they can be known without running it.

    What cannot be known now (a missing file, a model out of reach) has no result under that key.
    """
    keys: dict[str, str] = {}
    for name in planned.order:
        stage = planned.experiment.stages[name]
        if all(one.optional or one.stage in keys for one in stage.inputs()):
            with suppress(SondeError):
                keys[name] = key_of(made_of(stage, planned, name, keys))
    return keys


def _have_results(places: Collection[tuple[str, str]], root: Path, ledger: "Ledger | None") -> bool:
    """Whether one of some stages has a result under its key, on disk or in the ledger."""
    if any((root / stage / key / MARKER).exists() for stage, key in places):
        return True
    return ledger is not None and _done_in_ledger(ledger, {key for _, key in places})


def _done_in_ledger(ledger: "Ledger", keys: Collection[str]) -> bool:
    from sqlalchemy import select

    from sonde.ledger.database import reading
    from sonde.ledger.schema import stages

    query = select(stages.c.id).where(stages.c.key.in_(list(keys)), stages.c.state == DONE)
    with reading(ledger.engine) as connection:
        return connection.execute(query.limit(1)).first() is not None


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
