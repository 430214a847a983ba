"""What one call of ``run`` does with claims: register, judge on all variants, hand out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judged import Judged, concerning
from sonde.experiments.spec import Specification
from sonde.experiments.stage import Finished

if TYPE_CHECKING:
    from sonde.experiments.claims.docket import Docket
    from sonde.experiments.recording import Recorder


@dataclass(slots=True)
class Sitting:
    """The claims of a run, if it makes any, and their verdicts once all variants have run."""

    spec: Specification
    docket: "Docket | None" = None
    judged: tuple[Judged, ...] = ()

    @classmethod
    def opened(
        cls, spec: Specification, out: Path, ledger: str | None, say: Callable[[str], None]
    ) -> "Sitting":
        """Register the claims before anything runs, and say which come too late.

        Raises:
            SondeError: the ledger cannot be opened.
        """
        if not spec.claims:
            return cls(spec)
        from sonde.experiments.claims.docket import Docket
        from sonde.ledger.ledger import default_ledger

        docket = Docket.opened(spec, out.resolve() / spec.name, ledger or default_ledger(out))
        for text in docket.announcements:
            say(text)
        return cls(spec, docket)

    def judge(
        self,
        found: Mapping[str, Mapping[str, Finished]],
        recorders: "Mapping[str, Recorder]",
    ) -> None:
        """Judge the claims on what the variants found, by label, the last of which is open.

        Each variant's run records the verdicts on it, the last one's those across variants too.
        """
        if self.docket is None:
            return
        findings = Findings(found)
        verdicts = self.docket.new_verdicts(findings)
        *before, last = recorders
        for label in before:
            own = [verdict for verdict in verdicts if verdict.variant == label]
            if own:
                with recorders[label].run_recorded():
                    recorders[label].verdicts(own)
        recorders[last].verdicts([one for one in verdicts if one.variant not in before])
        self.judged = self.docket.judged(findings)

    def shown(self, label: str, *, across: bool = True) -> tuple[Judged, ...]:
        """Return the claims judged on one variant and, perhaps, those judged across variants."""
        return concerning(self.judged, self.spec, label, across=across)
