"""What the claims of a file ask, which of it is corrected together, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from sonde.core.files import fingerprint
from sonde.experiments.claims.along import Changes
from sonde.experiments.claims.composition import composed
from sonde.experiments.claims.correction import corrected
from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judging import Finding, judge_question
from sonde.experiments.claims.questions import Question, questions_of
from sonde.experiments.claims.registration import spec_hash
from sonde.experiments.claims.specification import AllOf
from sonde.experiments.spec import Specification
from sonde.ledger.records import Registration

VERSION = 2  # changes when the same results are judged otherwise
Item: TypeAlias = tuple[str, str]  # a claim's name, and the label of what it is judged on
Withdrawn: TypeAlias = Mapping[Item, float]  # p-values of questions that are asked no more


@dataclass(frozen=True, slots=True)
class Agenda:
    """The questions of a file's claims as these are registered."""

    spec: Specification
    registrations: Mapping[str, Registration]
    spec_hash: str

    @classmethod
    def of(cls, spec: Specification, registrations: Mapping[str, Registration]) -> "Agenda":
        """Return the questions of a file as it is now."""
        return cls(spec, registrations, spec_hash(spec))

    @property
    def variants(self) -> Mapping[str, Changes]:
        """The values of the sweep by the label of the variant."""
        return {planned.label: planned.changes for planned in self.spec.variants}

    def changed(self, name: str) -> bool:
        """Whether the settings of the experiment changed after a claim was registered."""
        return self.registrations[name].spec_hash != self.spec_hash

    def inputs(self, findings: Findings, withdrawn: Withdrawn) -> dict[Item, str]:
        """Return what each verdict rests on: a hash of the results, and one of all else."""
        reads = {
            item: fingerprint({str(one): findings.state(one) for one in question.references})
            for item, question in self._questions().items()
        }
        for whole, parts in self._parts().items():
            reads[whole] = fingerprint([[*part, reads[part]] for part in parts])
        correction = self.spec.variants[0].experiment.correction
        family = [[*item, self.registrations[item[0]].hash, reads[item]] for item in self._family()]
        family += [[*item, "withdrawn", ""] for item in withdrawn]
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
                    "changed": self.changed(item[0]),
                    "correction": [correction, family] if related[item] else None,
                }
            )
            for item in order
        }

    def findings(self, findings: Findings, withdrawn: Withdrawn) -> dict[Item, Finding]:
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
        for item, p in withdrawn.items() if family else ():
            members[item], levels[item] = Finding("inconclusive", "", p=p), 0.95
        kept = corrected(members, levels, self.spec.variants[0].experiment.correction)
        if withdrawn and family:
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

    def _questions(self) -> dict[Item, Question]:
        return {
            (name, label): question
            for name, claim in self.spec.claims.items()
            for label, question in questions_of(claim, self.variants).items()
        }

    def _parts(self) -> dict[Item, list[Item]]:
        """Return the parts of each ``all_of``."""
        questions = self._questions()
        return {
            (name, ""): [item for item in questions if item[0] in claim.of]
            for name, claim in self.spec.claims.items()
            if isinstance(claim, AllOf)
        }

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


def _named(parts: list[Item], found: Mapping[Item, Finding]) -> dict[str, Finding]:
    return {f"{name} [{label}]" if label else name: found[name, label] for name, label in parts}
