"""A claim with its registration and its verdict: what tables and reports show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sonde.core.files import jsonable
from sonde.experiments.spec import Specification
from sonde.ledger.records import Registration, Verdict

POST_HOC = "post hoc"
SETTINGS_CHANGED = "The experiment's settings changed after the claim was registered."


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict, and when and how what it judges was registered."""

    registration: Registration
    verdict: Verdict
    spec_changed: bool = False

    @property
    def label(self) -> str:
        """The claim's name, with its variant in brackets."""
        variant = f" [{self.verdict.variant}]" if self.verdict.variant else ""
        return f"{self.registration.name}{variant}"

    @property
    def content(self) -> Mapping[str, Any]:
        """What the claim says, defaults included."""
        return self.registration.content

    @property
    def mode(self) -> str:
        """``exploratory`` or ``confirmatory``; a claim made after results existed is neither."""
        return POST_HOC if self.verdict.post_hoc else str(self.content["mode"])

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values the effect is claimed to lie; infinite where there is no bound."""
        kind, by = self.content["kind"], float(self.content.get("by", math.nan))
        if kind == "all_of":
            return -math.inf, math.inf
        if kind == "equivalence":
            return -by, by
        return (-by if kind == "non_inferiority" else by), math.inf

    @property
    def decided(self) -> str:
        """How the claim is decided, shortly: ``superiority by 0.05 at 95 %``."""
        kind = str(self.content["kind"]).replace("_", "-")
        if kind == "all-of":
            return f"all of {', '.join(self.content['of'])}"
        return f"{kind} by {self.content['by']:g} at {100 * self.content['level']:g} %"

    @property
    def marks(self) -> tuple[str, ...]:
        """What a reader must know of how the claim came about, as sentences."""
        found: list[str] = []
        if self.verdict.post_hoc:
            found.append("Post hoc: it was registered when results existed.")
        if self.registration.replaces is not None:
            found.append("It replaces an earlier claim of the same name that said otherwise.")
        if self.spec_changed:
            found.append(SETTINGS_CHANGED)
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Return everything that a page about the claim shows, as JSON values.

        Where and when the verdict was recorded is left out.
        """
        verdict = {name: getattr(self.verdict, name) for name in Verdict.__dataclass_fields__}
        effect = self.verdict.effect
        verdict["effect"] = None if effect is None else asdict(effect)
        content = {"registration": asdict(self.registration), "verdict": verdict}
        return jsonable({**content, "spec_changed": self.spec_changed})


def concerning(
    judged: Sequence[Judged], spec: Specification, label: str, *, across: bool = True
) -> tuple[Judged, ...]:
    """Return what was judged on one variant and, perhaps, what was judged across variants."""
    labels = {planned.label for planned in spec.variants}
    return tuple(
        one
        for one in judged
        if one.verdict.variant == label or (across and one.verdict.variant not in labels)
    )
