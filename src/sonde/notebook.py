"""Results in a notebook: ``sonde.display(...)`` shows them as the report does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sonde.core.errors import SondeError
from sonde.report import (
    Report,
    answer_from,
    calibration_from,
    classes_from,
    curves_by_metric,
    massive_from,
    notices_from,
    penalties_from,
    render,
    transfer_from,
    write_report,
)
from sonde.report.frame import framed
from sonde.report.from_results import Results
from sonde.report.from_targets import targets_from
from sonde.report.sections import SECTIONS, Section
from sonde.report.wording import counted

if TYPE_CHECKING:
    from sonde.data.examples import Example
    from sonde.models.model import Model
    from sonde.probes.probe import Probe
    from sonde.probes.results import ProbeResults

TEXTS = 24  # more would make the page heavy


@dataclass(frozen=True, slots=True, repr=False)
class Displayed:
    """A report as a notebook shows it; ``words`` is what a terminal shows."""

    report: Report
    words: str

    def _repr_html_(self) -> str:
        return framed(render(self.report, inside=True), self.report.title or "sonde")

    def __repr__(self) -> str:
        return self.words

    def save(self, path: str | Path) -> Path:
        """Write the report as one HTML file that needs no other, and return its path."""
        return write_report(self.report, path)


def display(
    shown: Any,
    texts: "str | Sequence[str] | Sequence[Example] | None" = None,
    *,
    model: "Model | str | None" = None,
    output: str | None = None,
    title: str = "",
) -> Displayed:
    """Show results in a notebook, or save them as a page.

    Args:
        shown: results of probes (one, several, or several by name), a probe with its texts, massive
            dimensions, a transfer, a section of a report, or a report.
        texts: what probes colour token by token; at most 24 are shown.
        model: reads the texts; by default the model that the probe was fitted on is loaded.
        output: the class or target shown, of a probe that has several.
        title: what stands above.

    Raises:
        SondeError: there is no view of such a thing, a probe has no texts, or the model is not the
            probe's.
    """
    if isinstance(shown, Report):
        return Displayed(shown, f"report {shown.title!r}: {len(shown.sections)} sections")
    if getattr(type(shown), "kind", None) in SECTIONS:
        return _of_section(shown, title)
    from sonde.probes.probe import Probe
    from sonde.probes.results import ProbeResults

    if isinstance(shown, Probe | ProbeResults) and texts is not None:
        given = [texts] if isinstance(texts, str) else texts
        return _of_texts(shown, given, model, output, title)
    if texts is not None:
        raise SondeError(
            f"Texts are shown by a probe or by one result, not by a {type(shown).__name__}.",
            fix="Leave the texts out, or give a probe.",
        )
    return _of_results_or_measures(shown, title)


def _of_results_or_measures(shown: Any, title: str) -> Displayed:
    from sonde.activations.massive_report import MassiveDimensions
    from sonde.probes.probe import Probe
    from sonde.probes.results import ProbeResults
    from sonde.probes.transferring import Transfer

    if isinstance(shown, Probe):
        raise SondeError(
            "A probe is shown on texts, and none were given.",
            fix="Write sonde.display(probe, texts); print(probe) shows its scores.",
        )
    if isinstance(shown, MassiveDimensions):
        return _of_section(massive_from(shown), title)
    if isinstance(shown, Transfer):
        return _of_section(transfer_from(shown), title)
    several = list(shown.values()) if isinstance(shown, Mapping) else shown
    several = [several] if isinstance(several, ProbeResults) else several
    known = isinstance(several, Sequence) and all(isinstance(one, ProbeResults) for one in several)
    if known and several:
        return _of_results(shown, list(several), title)
    raise SondeError(
        f"There is no view of {type(shown).__name__} objects.",
        fix="Give results of probes, a probe with texts, massive dimensions, a transfer, a section "
        "of a report, or a report.",
    )


def _of_section(section: Section, title: str) -> Displayed:
    said = str(SECTIONS[section.kind](section).get("sentence", ""))
    words = ": ".join(part for part in (section.title, said) if part)
    return Displayed(Report(title, "", (section,)), words or section.kind)


def _of_results(shown: "Results", several: "Sequence[ProbeResults]", title: str) -> Displayed:
    curves = curves_by_metric(shown)
    first = several[0]
    report = Report(
        title,
        "",
        (
            notices_from(shown),
            *curves,
            *targets_from(shown),
            *classes_from(shown),
            *penalties_from(shown),
            *calibration_from(shown),
        ),
        answer_from(curves[0]),
        (
            ("Model", first.best.origin.model),
            ("Read at", first.best.position),
            ("Units", f"{first.n:,} ({first.n_rows:,} rows)"),
        ),
    )
    return Displayed(report, "\n\n".join(map(str, several)))


def _of_texts(
    shown: "Probe | ProbeResults",
    texts: "Sequence[str] | Sequence[Example]",
    model: "Model | str | None",
    output: str | None,
    title: str,
) -> Displayed:
    """Colour texts by a probe, or by the probes of every layer of a result."""
    from sonde.activations import extract
    from sonde.data.examples import as_examples
    from sonde.models import load
    from sonde.models.render import RenderSettings
    from sonde.probes.probe import Probe
    from sonde.report import token_view_from, token_view_of

    probes = [shown] if isinstance(shown, Probe) else [layer.probe for layer in shown.layers]
    examples = as_examples(texts)[:TEXTS]
    if model is None or isinstance(model, str):
        model = load(model or probes[0].origin.model)
    probes[0].check(model.info)
    how = RenderSettings(template=_template(probes[0].origin.template))
    hooks = tuple(sorted({str(one.hook) for one in probes}))
    acts = extract(
        model, examples, hooks=hooks, positions="all.each", template=how.template, progress=False
    )
    rendered = {one.id: model.render(one, how) for one in examples}
    if isinstance(shown, Probe):
        view = token_view_of(probes, acts, rendered, examples, output=output)
    else:
        view = token_view_from(shown, acts, rendered, examples, output=output)
    words = f"{counted(len(view.texts), 'text')} by {counted(len(view.layers), 'probe')}"
    return Displayed(Report(title, "", (view,)), f"{shown}\n{words}, token by token")


def _template(used: str) -> Literal["auto", "chat", "none"]:
    """Return how texts are rendered as those that the probe was fitted on were."""
    return "chat" if used == "chat" else "none" if used == "none" else "auto"
