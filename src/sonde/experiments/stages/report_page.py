"""From finished stages to the sections of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sonde.experiments.stage import Context, Finished
from sonde.experiments.stages.claims_section import claims_section
from sonde.experiments.stages.probe_ranking import PAIRS, TAU
from sonde.experiments.stages.report_accounting import accounting_of
from sonde.experiments.stages.report_dictionaries import dictionary_facts
from sonde.experiments.stages.report_drawn import DRAWN
from sonde.experiments.stages.report_provenance import provenance_of
from sonde.experiments.stages.report_responses import responses_tables
from sonde.experiments.stages.report_steering import (
    between_models,
    steering_facts,
    steering_notices,
)
from sonde.experiments.stages.texts import read_texts
from sonde.experiments.stages.token_task import TokenTaskStage
from sonde.experiments.stages.token_texts import token_task_view
from sonde.report import (
    MassiveView,
    Notice,
    Report,
    Section,
    Table,
    TokenView,
    TransferCell,
    TransferMatrix,
    answer_from,
    calibration_from,
    classes_from,
    curves_by_metric,
    massive_from,
    notices_from,
    penalties_from,
    token_view_from,
)
from sonde.report.from_targets import targets_from
from sonde.report.wording import interval_text
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS

if TYPE_CHECKING:
    from sonde.probes.results import ProbeResults

TEXTS = 24  # more would make the page heavy


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page is made of: the stages by name, and which of them are shown."""

    context: Context
    there: Mapping[str, Finished]
    probes: tuple[str, ...]
    massive: str | None
    tokens: str | None

    def setting(self, stage: str, name: str) -> Any:
        """Return a setting of a stage."""
        return getattr(self.there[stage].stage, name)


def report_of(shown: Shown, title: str) -> Report:
    """Gather everything that the stages have to show."""
    found: dict[str, ProbeResults] = {name: shown.there[name].open() for name in shown.probes}
    curves = curves_by_metric(found)
    sections: list[Section] = []
    if shown.context.claims:
        sections.append(claims_section(shown.context.claims))
    first = next(iter(found.values()), None)
    view = _tokens(shown, shown.tokens, found, first) if shown.tokens and first else None
    said = [view] if isinstance(view, Notice) else []
    said += steering_notices(shown.there)
    steers = any(one.stage.gives == "steering" for one in shown.there.values())
    sections += [notices_from(found, said)] if found or said or steers else []
    for name, results in list(found.items())[:1]:
        sections.append(accounting_of(shown.there[name], results, shown.there))
    sections += [*curves, *targets_from(found), *classes_from(found), *penalties_from(found)]
    sections += [*calibration_from(found), *_rankings(shown)]
    if shown.massive is not None:
        sections.append(_massive(shown, shown.massive, first))
    if isinstance(view, TokenView):
        sections.append(view)
    tables = [*responses_tables(shown.there), *_tables(shown), *between_models(shown.there)]
    sections += _named_apart(tables)
    sections += provenance_of(shown.context, shown.there, shown.probes)
    experiment = shown.context.experiment
    return Report(
        title=title or str(experiment["name"]),
        question=str(experiment["question"]),
        sections=tuple(sections),
        answer=answer_from(curves[0]) if curves else None,
        facts=_facts(shown, first),
    )


def _facts(shown: Shown, first: "ProbeResults | None") -> tuple[tuple[str, str], ...]:
    if first is None:
        return steering_facts(shown.there) or dictionary_facts(shown.there)
    origin = first.best.origin
    variant = str(shown.context.experiment["variant"])
    return (
        ("Model", origin.model),
        ("Read at", first.best.position),
        ("Units", f"{first.n:,} ({first.n_rows:,} rows)"),
        *((("Variant", variant),) if variant else ()),
    )


def _massive(shown: Shown, name: str, probe: "ProbeResults | None") -> MassiveView:
    found = shown.there[name].open()
    layer = probe.best_layer.hook.layer if probe is not None else None
    return massive_from(
        found,
        examples=int(shown.there[shown.setting(name, "data")].summary["n"]),
        use_layer=layer if layer in found.layers else None,
    )


def _tokens(
    shown: Shown, name: str, found: "Mapping[str, ProbeResults]", first: "ProbeResults"
) -> TokenView | Notice:
    """Colour the texts of a token task by its own probe, those of an extraction by the first.

    Where a token task had too few documents to keep one apart, say so in their place.
    """
    tokens = shown.there[name]
    if isinstance(tokens.stage, TokenTaskStage):
        own = [probe for probe in found if shown.setting(probe, "activations") == name]
        return token_task_view(tokens, found[own[0]] if own else first)
    examples, rendered = read_texts(tokens.folder)
    return token_view_from(first, tokens.open(), rendered, examples[:TEXTS])


def _rankings(shown: Shown) -> list[Section]:
    """Show how far probes put the winners of comparisons ahead."""
    known = {name: shown.there[name].summary for name in shown.probes}
    ranked = [(name, it) for name, it in known.items() if PAIRS in it]
    if not ranked:
        return []
    rows = tuple(
        (name, _score(it[PAIRS]), _score(it[TAU]), it["ranked_pairs"], it["ranked_ties"])
        for name, it in ranked
    )
    columns = ("Probe", "Winner put ahead", "Kendall’s tau-b", "Comparisons", "Ties, apart")
    note = (
        "What each probe says of the items, out of fold, beside the comparisons; tau-b is with "
        "their utilities. By chance the winner is put ahead in .50, and tau-b is 0."
    )
    return [Table(columns, rows, "Ranking against comparisons", note)]


def _score(found: Mapping[str, Any]) -> str:
    return interval_text(Interval(**found))


def _tables(shown: Shown) -> list[tuple[str, Section]]:
    """Draw transfers, and show the tables of other stages that have one, such as comparisons.

    Each section comes with the name of its stage.
    """
    found: list[tuple[str, Section]] = []
    for name, one in shown.there.items():
        if one.stage.gives == "transfer":
            found.append((name, _transfer(one)))
        elif one.stage.has_table:
            found.append((name, _table(one.summary["table"])))
            drawn = DRAWN[one.stage.gives](one) if one.stage.gives in DRAWN else []
            found += [(name, section) for section in drawn]
    return found


def _named_apart(sections: Sequence[tuple[str, Section]]) -> list[Section]:
    """Put the stage into titles that sections of several stages share."""
    stages: dict[str, set[str]] = {}
    for name, section in sections:
        stages.setdefault(section.title, set()).add(name)
    return [
        replace(one, title=f"{one.title}: {name}") if len(stages[one.title]) > 1 else one
        for name, one in sections
    ]


def _table(it: Mapping[str, Any]) -> Table:
    rows: list[list[Any]] = it["rows"]
    return Table(tuple(it["columns"]), tuple(tuple(row) for row in rows), it["title"], it["note"])


def _transfer(finished: Finished) -> TransferMatrix:
    metric = METRICS[finished.summary["metric"]]
    return TransferMatrix(
        tuple(
            TransferCell(
                cell["train"],
                cell["test"],
                None if cell["score"] is None else Interval(**cell["score"]),
                cell["note"],
            )
            for cell in finished.summary["cells"]
        ),
        metric=metric.name,
        chance=metric.chance,
        ceiling=metric.ceiling,
    )
