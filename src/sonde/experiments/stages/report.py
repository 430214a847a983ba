"""``report``: one self-contained HTML page about the other stages."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.extract import ExtractStage
from sonde.experiments.stages.import_activations import ImportStage
from sonde.experiments.stages.probe import WITH_LABELS
from sonde.experiments.stages.texts import keeps_each
from sonde.experiments.stages.token_task import TokenTaskStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts

PAGE = "report.html"
PAGE_BYTES = 150_000  # with the charts of a few probes; texts that are coloured come on top
TOKENS = ("activations", WITH_LABELS)  # what texts can be coloured by
SHOWN = ("probe", "massive", "examples", "activations")


class ReportStage(Stage):
    """Write a report: answer, claims, layer curves, massive dimensions, text the probe coloured."""

    kind: Literal["report"] = Field(default="report", description="Write an HTML report.")
    title: str = Field(default="", description="The experiment's name, unless given.")
    probes: tuple[str, ...] | None = Field(
        default=None, description="The probe stages to show, the answer's first; all by default."
    )
    massive: str | None = Field(
        default=None, description="The massive_dimensions stage to show; the first by default."
    )
    tokens: str | None = Field(
        default=None,
        description="An extract stage with `positions: all` whose texts are coloured by the probe, "
        "or a token task, which colours documents that it kept apart.",
    )

    version: ClassVar[int] = 2
    gives: ClassVar[str] = "report"
    reads_texts: ClassVar[tuple[str, ...]] = ("name", "question")
    shows_claims: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the stages that are named; one that was skipped is left out of the page."""
        named = [Reference("probes", name, ("probe",), optional=True) for name in self.probes or ()]
        if self.massive is not None:
            named.append(Reference("massive", self.massive, ("massive",), optional=True))
        if self.tokens is not None:
            named.append(Reference("tokens", self.tokens, TOKENS, optional=True))
        return tuple(named)

    def optional_inputs(self, names: Mapping[str, Stage]) -> tuple[str, ...]:
        """Return the stages that the page shows or follows back to the data."""
        first = [*(self.probes or _giving(names, "probe"))]
        first += [self.massive] if self.massive else _giving(names, "massive")[:1]
        first += [self.tokens] if self.tokens else []
        first += [name for name, stage in names.items() if stage.has_table]
        found = list(first)
        for name in found:  # grows while it is walked: inputs of inputs are followed too
            if name in names:
                found += [one.stage for one in names[name].inputs() if one.stage not in found]
        return tuple(dict.fromkeys(found))

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse to colour texts of a stage that keeps none."""
        stage = stages[self.tokens] if self.tokens else None
        if isinstance(stage, TokenTaskStage) and not stage.shown:
            raise SondeError(
                f"The token task {self.tokens!r} is to keep no document apart (`shown: 0`), so the "
                "report has no text to colour.",
                fix=f"Write `shown: 1` or more in {self.tokens!r}, or leave `tokens` out.",
            )
        if isinstance(stage, ExtractStage) and not keeps_each(stage.extract_settings()):
            raise SondeError(
                f"The stage {self.tokens!r} does not keep each token, so the report has no text to "
                "colour.",
                fix=f"Write `positions: all` in {self.tokens!r}, or leave `tokens` out.",
            )
        if isinstance(stage, ImportStage):
            raise SondeError(
                f"The activations of {self.tokens!r} were made elsewhere, so the report has none "
                "of their texts to colour.",
                fix="Name an extract stage with `positions: all`, or leave `tokens` out.",
            )

    def estimate(self, facts: "Facts") -> Estimate:
        """Return the size of the page."""
        return Estimate(disk=PAGE_BYTES)

    def run(self, context: Context) -> Outcome:
        """Gather the sections and write the page."""
        from sonde.experiments.stages.report_page import Shown, report_of
        from sonde.report import write_report

        there = {
            name: finished for name, finished in context.inputs.items() if not finished.skipped
        }
        probes = [name for name in self.probes or _kind(there, "probe") if name in there]
        massive = [self.massive] if self.massive else _kind(there, "massive")
        shown = Shown(
            context=context,
            there=there,
            probes=tuple(probes),
            massive=next((name for name in massive if name in there), None),
            tokens=self.tokens if self.tokens in there else None,
        )
        page = report_of(shown, self.title)
        write_report(page, context.folder / PAGE)
        return Outcome({"page": PAGE, "sections": [section.kind for section in page.sections]})

    def open(self, folder: Path) -> Path:
        """Return the path of the page."""
        return folder / PAGE


def _giving(names: Mapping[str, Stage], what: str) -> list[str]:
    return [name for name, stage in names.items() if stage.gives == what]


def _kind(there: Mapping[str, object], what: str) -> list[str]:
    from sonde.experiments.stage import Finished

    return [
        name
        for name, finished in there.items()
        if isinstance(finished, Finished) and finished.stage.gives == what
    ]
