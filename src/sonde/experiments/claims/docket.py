"""The claims of one run: registered before it, judged when all variants have run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sonde.core.files import fingerprint
from sonde.experiments.claims.along import Changes
from sonde.experiments.claims.composition import composed
from sonde.experiments.claims.correction import corrected
from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judged import SETTINGS_CHANGED, Judged
from sonde.experiments.claims.judging import Finding, judge_question
from sonde.experiments.claims.questions import Question, questions_of
from sonde.experiments.claims.registration import (
    claim_starts,
    register,
    runs_that_answered,
    spec_hash,
)
from sonde.experiments.claims.specification import AllOf
from sonde.experiments.claims.withdrawn import HASH, withdrawn_questions
from sonde.experiments.spec import Specification
from sonde.ledger.records import Registration, Verdict

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

VERSION = 2  # changes when the same results are judged otherwise
Item: TypeAlias = tuple[str, str]  # a claim's name, and the label of what it is judged on
Stored: TypeAlias = Mapping[Item, Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Docket:
    """The registered claims of an experiment file, in its order."""

    spec: Specification
    ledger: "Ledger"
    registrations: Mapping[str, Registration]
    _hash: str = field(default="")

    @classmethod
    def opened(cls, spec: Specification, root: Path, where: str) -> "Docket":
        """Register the claims in the ledger at a path or URL.

        Raises:
            SondeError: the ledger cannot be opened.
        """
        from sonde.ledger.ledger import Ledger

        ledger = Ledger.open(where)
        found = {one.name: one for one in register(spec, root, ledger)}
        return cls(spec, ledger, {name: found[name] for name in spec.claims}, spec_hash(spec))

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
        return cls(spec, ledger, registered, spec_hash(spec))

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
            for item, finding in self._findings(findings).items()
            if item not in known
        )

    def judged(self, findings: Findings) -> tuple[Judged, ...]:
        """Return each claim with the ledger's verdict on these results, as the file orders them."""
        inputs = self._inputs(findings)
        known = _matching(inputs, self._stored())
        return tuple(
            Judged(self.registrations[item[0]], known[item], self._changed(item[0]))
            for item in inputs
            if item in known
        )

    def is_settled(self, findings: Findings) -> bool:
        """Whether the ledger has a verdict on these results for every claim."""
        inputs = self._inputs(findings)
        return set(_matching(inputs, self._stored())) == set(inputs)

    @property
    def _variants(self) -> Mapping[str, Changes]:
        return {planned.label: planned.changes for planned in self.spec.variants}

    def _questions(self) -> dict[Item, Question]:
        return {
            (name, label): question
            for name, claim in self.spec.claims.items()
            for label, question in questions_of(claim, self._variants).items()
        }

    def _parts(self) -> dict[Item, list[Item]]:
        """Return the parts of each ``all_of``."""
        questions = self._questions()
        return {
            (name, ""): [item for item in questions if item[0] in claim.of]
            for name, claim in self.spec.claims.items()
            if isinstance(claim, AllOf)
        }

    def _changed(self, name: str) -> bool:
        return self.registrations[name].spec_hash != self._hash

    def _is_confirmatory(self, name: str) -> bool:
        registered_late = self.registrations[name].after_results
        return self.spec.claims[name].mode == "confirmatory" and not registered_late

    def _family(self) -> list[Item]:
        """Return what is corrected together: every confirmatory question.

        An ``all_of`` needs no correction of its own where each of its parts is in the family.
        """
        questions = [item for item in self._questions() if self._is_confirmatory(item[0])]
        wholes = [
            item
            for item, parts in self._parts().items()
            if self._is_confirmatory(item[0]) and not set(parts) <= set(questions)
        ]
        return questions + wholes

    def _withdrawn(self, findings: Findings) -> dict[Item, float]:
        kept = {one.id for one in self.registrations.values()}
        return withdrawn_questions(self.ledger, self.spec.name, kept, self._variants, findings)

    def _inputs(self, findings: Findings) -> dict[Item, str]:
        """Return what each verdict rests on: a hash of the results, and one of all else."""
        reads = {
            item: fingerprint({str(one): findings.state(one) for one in question.references})
            for item, question in self._questions().items()
        }
        for whole, parts in self._parts().items():
            reads[whole] = fingerprint([[*part, reads[part]] for part in parts])
        correction = self.spec.variants[0].experiment.correction
        family = [[*item, self.registrations[item[0]].hash, reads[item]] for item in self._family()]
        family += [[*item, "withdrawn", ""] for item in self._withdrawn(findings)]
        in_family = set(self._family())
        related = {
            item: item in in_family or bool(in_family & set(self._parts().get(item, ())))
            for item in reads
        }
        order = [item for name in self.spec.claims for item in reads if item[0] == name]
        return {
            item: reads[item]
            + fingerprint(
                {
                    "version": VERSION,
                    "changed": self._changed(item[0]),
                    "correction": [correction, family] if related[item] else None,
                }
            )
            for item in order
        }

    def _stored(self) -> Stored:
        """Return the ledger's verdicts on the claims as they are registered, oldest first."""
        names = {one.id: name for name, one in self.registrations.items()}
        found: dict[Item, list[Verdict]] = {}
        for verdict in self.ledger.verdicts(experiment=self.spec.name):
            if verdict.claim in names:
                found.setdefault((names[verdict.claim], verdict.variant), []).append(verdict)
        return found

    def _findings(self, findings: Findings) -> dict[Item, Finding]:
        """Judge every question, correct the family, and compose what has parts."""
        claims = self.spec.claims
        alone = {
            item: judge_question(question, findings, claims[item[0]].level)
            for item, question in self._questions().items()
        }
        parts = self._parts()
        family = self._family()
        members = {
            item: composed(_named(parts[item], alone)) if item in parts else alone[item]
            for item in family
        }
        levels = {item: claims[item[0]].level for item in family}
        withdrawn = self._withdrawn(findings) if family else {}
        for item, p in withdrawn.items():
            members[item], levels[item] = Finding("inconclusive", "", p=p), 0.95
        kept = corrected(members, levels, self.spec.variants[0].experiment.correction)
        if withdrawn:
            said = f"The correction counts {len(withdrawn)} more, answered on these results before "
            said += "and no longer asked."
            kept = {key: replace(one, why=f"{one.why} {said}") for key, one in kept.items()}
        found = {**alone, **{item: kept[item] for item in family if item in alone}}
        for whole, inside in parts.items():
            finding = composed(_named(inside, found))
            if whole in kept and finding.verdict == "confirmed":
                finding = kept[whole]
            elif whole in kept:
                finding = replace(finding, p_adjusted=kept[whole].p_adjusted)
            found[whole] = finding
        return {item: found[item] for name in claims for item in found if item[0] == name}

    def _verdict(self, item: Item, finding: Finding, inputs: str, stored: Stored) -> Verdict:
        name, variant = item
        registration = self.registrations[name]
        remarks = [finding.why, *_earlier(stored.get(item, ()), inputs)]
        if self._changed(name):
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


def _named(parts: list[Item], found: Mapping[Item, Finding]) -> dict[str, Finding]:
    return {f"{name} [{label}]" if label else name: found[name, label] for name, label in parts}
