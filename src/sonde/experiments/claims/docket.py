"""The claims of one run: registered before it, judged when all variants have run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sonde.experiments.claims.agenda import Agenda, Item
from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judged import SETTINGS_CHANGED, Judged
from sonde.experiments.claims.judging import Finding
from sonde.experiments.claims.registration import (
    claim_starts,
    register,
    runs_that_answered,
)
from sonde.experiments.claims.withdrawn import HASH, withdrawn_questions
from sonde.experiments.spec import Specification
from sonde.ledger.records import Registration, Verdict

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

Stored: TypeAlias = Mapping[Item, Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Docket:
    """The registered claims of an experiment file, in its order."""

    spec: Specification
    ledger: "Ledger"
    registrations: Mapping[str, Registration]
    agenda: Agenda

    @classmethod
    def opened(cls, spec: Specification, root: Path, where: str) -> "Docket":
        """Register the claims in the ledger at a path or URL.

        Raises:
            SondeError: the ledger cannot be opened.
        """
        from sonde.ledger.ledger import Ledger

        ledger = Ledger.open(where)
        found = {one.name: one for one in register(spec, root, ledger)}
        registered = {name: found[name] for name in spec.claims}
        return cls(spec, ledger, registered, Agenda.of(spec, registered))

    @classmethod
    def found(cls, spec: Specification, root: Path, where: str) -> "Docket | None":
        """Read the claims as they are registered; None where one is not, or there is no ledger."""
        from sonde.ledger.claims import registered_as
        from sonde.ledger.ledger import Ledger

        if "://" not in where and not Path(where).expanduser().exists():
            return None
        ledger = Ledger.open(where, create=False)
        known = ledger.registrations(spec.name)
        registered: dict[str, Registration] = {}
        for start in claim_starts(spec, root, ledger):
            found = registered_as([one for one in known if one.name == start.name], start.hash)
            if found is None:
                return None
            registered[start.name] = found
        return cls(spec, ledger, registered, Agenda.of(spec, registered))

    @property
    def announcements(self) -> tuple[str, ...]:
        """What is said when a run begins: registrations, and which claims changed or are late."""
        late = [name for name, one in self.registrations.items() if one.after_results]
        days = sorted({one.registered[:10] for one in self.registrations.values()})
        count = len(self.registrations)
        said = [f"claims: {count} registered, {' to '.join(dict.fromkeys((days[0], days[-1])))}"]
        if late:
            said.append(f"claims: post hoc, made when results existed: {', '.join(late)}")
            made = max(self.registrations[name].registered for name in late)
            runs = runs_that_answered(self.spec, late, self.ledger, before=made)
            said += [f"claims: {runs} had results of the same data, model and method"] * bool(runs)
        changed = [name for name, one in self.registrations.items() if one.replaces is not None]
        if changed:
            said.append(f"claims: changed since they were first registered: {', '.join(changed)}")
        before = {one.name for one in self.ledger.registrations(self.spec.name)}
        gone = sorted(before - set(self.registrations))
        if gone:
            said.append(f"claims: registered before, no longer in the file: {', '.join(gone)}")
        return tuple(said)

    def new_verdicts(self, findings: Findings) -> tuple[Verdict, ...]:
        """Judge every claim; return the verdicts that the ledger does not have yet.

        Where it has one on the same results for each claim, nothing is judged again.
        """
        inputs, stored = self._inputs(findings), self._stored()
        known = _matching(inputs, stored)
        if set(known) == set(inputs):
            return ()
        return tuple(
            self._verdict(item, finding, inputs[item], stored)
            for item, finding in self.agenda.findings(findings, self._withdrawn(findings)).items()
            if item not in known
        )

    def judged(self, findings: Findings) -> tuple[Judged, ...]:
        """Return each claim with the ledger's verdict on these results, as the file orders them."""
        inputs = self._inputs(findings)
        known = _matching(inputs, self._stored())
        return tuple(
            Judged(self.registrations[item[0]], known[item], self.agenda.changed(item[0]))
            for item in inputs
            if item in known
        )

    def is_settled(self, findings: Findings) -> bool:
        """Whether the ledger has a verdict on these results for every claim."""
        inputs = self._inputs(findings)
        return set(_matching(inputs, self._stored())) == set(inputs)

    def _inputs(self, findings: Findings) -> dict[Item, str]:
        return self.agenda.inputs(findings, self._withdrawn(findings))

    def _withdrawn(self, findings: Findings) -> dict[Item, float]:
        kept = {one.id for one in self.registrations.values()}
        variants = self.agenda.variants
        return withdrawn_questions(self.ledger, self.spec.name, kept, variants, findings)

    def _stored(self) -> Stored:
        """Return the ledger's verdicts on the claims as they are registered, oldest first."""
        names = {one.id: name for name, one in self.registrations.items()}
        found: dict[Item, list[Verdict]] = {}
        for verdict in self.ledger.verdicts(experiment=self.spec.name):
            if verdict.claim in names:
                found.setdefault((names[verdict.claim], verdict.variant), []).append(verdict)
        return found

    def _verdict(self, item: Item, finding: Finding, inputs: str, stored: Stored) -> Verdict:
        name, variant = item
        registration = self.registrations[name]
        remarks = [finding.why, *_earlier(stored.get(item, ()), inputs)]
        if self.agenda.changed(name):
            remarks.append(SETTINGS_CHANGED)
        return Verdict(
            claim=registration.id,
            variant=variant,
            verdict=finding.verdict,
            statement=self.spec.claims[name].statement,
            effect=finding.effect,
            boundary=finding.boundary,
            p=finding.p,
            p_adjusted=finding.p_adjusted,
            design=finding.design,
            n=finding.n,
            why=" ".join(remarks),
            advice=finding.advice,
            inputs=inputs,
            post_hoc=registration.after_results,
        )


def _matching(inputs: Mapping[Item, str], stored: Stored) -> dict[Item, Verdict]:
    """Return the verdicts that rest on just these inputs."""
    return {
        item: verdict
        for item, verdicts in stored.items()
        for verdict in verdicts
        if inputs.get(item) == verdict.inputs
    }


def _earlier(verdicts: Sequence[Verdict], inputs: str) -> list[str]:
    """Say what a claim came out as on other results; their hash comes first in the inputs."""
    others = [one.verdict for one in verdicts if one.inputs[:HASH] != inputs[:HASH]]
    words = ", ".join(dict.fromkeys(others))
    return [f"On other results it was judged before: {words}."] if words else []
