"""``sonde ledger show``: everything about one run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sonde.cli.console import heading, seconds_in_words
from sonde.cli.ledger_words import Shape, grid, lines, open_ledger
from sonde.core.words import in_words
from sonde.ledger.exchange.origins import RUN_ID
from sonde.ledger.records import DONE, Registration, ResultRow, RunDetail, VerdictRow
from sonde.ledger.wording import IN_WORDS, difference_in_words, interval_in_words

Facts = list[tuple[str, Any]]
_TO_THE_RIGHT = Shape(right=True, whole=True)


def print_run(number: int, out: Path, ledger: str | None) -> None:
    """Print everything about one run."""
    detail = open_ledger(out, ledger).show(number)
    run = detail.run
    _table(_facts(detail))
    _print_claims(detail)
    _print_results(detail.results)
    _print_stages(detail.stages)
    for title, key in (("Facts", "facts"), ("Versions", "versions"), ("Hardware", "hardware")):
        facts = cast("Mapping[str, Any]", run[key])
        shown = [(name, in_words(value, name)) for name, value in facts.items() if name != RUN_ID]
        if shown:
            heading(title)
            _table([pair for pair in shown if pair[1]])
    if run["spec_text"].strip():
        heading("Experiment file as given")
        lines(run["spec_text"].rstrip())


def _facts(detail: RunDetail) -> Facts:
    run = detail.run
    commit = run["commit_hash"] or ""
    changed = " with uncommitted changes" if run["dirty"] else ""
    label = run["facts"].get(RUN_ID, "")
    return [
        ("run", f"{run['id']}: {run['name']}" + (f" [{run['variant']}]" if run["variant"] else "")),
        ("imported as", f"{label} (origin {run['origin']})" if run["origin"] else ""),
        ("question", run["question"]),
        ("purpose", run["purpose"]),
        ("state", run["state"] + (f" ({run['reason']})" if run["reason"] else "")),
        *_replacements(detail),
        ("started (UTC)", run["started"][:19].replace("T", " ")),
        ("took", seconds_in_words(run["seconds"])),
        ("cost", _cost(run["cost"], run["cost"].get("planned") or run["planned"])),
        ("model", run["model"]),
        ("seed", run["seed"]),
        ("file", run["spec_path"]),
        ("changed", ", ".join(run["overrides"])),
        ("commit", f"{commit[:12]}{changed}" if commit else ""),
        ("results", run["folder"]),
    ]


def _replacements(detail: RunDetail) -> Iterator[tuple[str, str]]:
    number = detail.run["id"]
    for one in detail.supersessions:
        day = one.recorded[:10]
        if one.old == number:
            yield f"{detail.run['state']} by", f"run {one.new} ({day}): {one.why}"
        else:
            yield "takes the place of", f"run {one.old} ({day}): {one.why}"


def _cost(cost: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    """Return what a run took beside what was planned."""
    from sonde.experiments.cost import took_in_words

    if not cost:
        return ""
    try:
        return took_in_words(cost, planned)
    except KeyError:  # recorded by something that measures less
        return in_words(cost)


def _table(facts: Facts) -> None:
    shown = [(name, value) for name, value in facts if value not in ("", None)]
    grid(("", ""), shown, (Shape(least=10, most=24), Shape()))


def _print_claims(detail: RunDetail) -> None:
    """Print the experiment's registered claims with what this run says of them."""
    if not detail.claims:
        return
    heading("Claims")
    replaced = {claim.replaces for claim in detail.claims}
    said: dict[int, list[VerdictRow]] = {}
    for verdict in detail.verdicts:
        said.setdefault(verdict.claim, []).append(verdict)
    rows = [
        row
        for claim in detail.claims
        if claim.id in said or claim.id not in replaced
        for row in _claim_rows(claim, said.get(claim.id, []))
    ]
    grid(("claim", "registered (UTC)", "verdict", "effect", "n"), rows, (Shape(least=10),))
    for verdict in detail.verdicts:
        variant = f" [{verdict.variant}]" if verdict.variant else ""
        lines(
            f"{verdict.name}{variant}: {verdict.statement} {verdict.why} {verdict.advice}".rstrip()
        )


def _claim_rows(claim: Registration, verdicts: Sequence[VerdictRow]) -> Iterator[tuple[Any, ...]]:
    late = ", after results" if claim.after_results else ""
    again = ", changed" if claim.replaces else ""
    when = f"{claim.registered[:16].replace('T', ' ')}{late}{again}"
    if not verdicts:
        yield claim.name, when, "not judged by this run", "", ""
    for verdict in verdicts:
        name = f"{claim.name} [{verdict.variant}]" if verdict.variant else claim.name
        effect = "" if verdict.effect is None else difference_in_words(verdict.effect)
        post_hoc = ", post hoc" if verdict.post_hoc else ""
        yield name, when, f"{verdict.verdict}{post_hoc}", effect, verdict.n or ""


def _print_results(results: Sequence[ResultRow]) -> None:
    """Print every result with its controls and baselines, or that it has none."""
    if not results:
        return
    heading("Results")
    grid(
        ("result", "value [interval]", "n", "status", "units"),
        [row for result in results for row in _result_rows(result)],
        (Shape(least=20), Shape(), _TO_THE_RIGHT),
    )
    for result in results:
        for note in (result.note, result.status_why):
            if note:
                lines(f"{result.stage}.{result.name}: {note}")


def _result_rows(result: ResultRow) -> Iterator[tuple[Any, ...]]:
    what = " ".join(part for part in (result.method, result.metric) if part)
    name = f"{result.stage}.{result.name}"
    units = "yes" if result.units_hash else "no"
    if result.metric == IN_WORDS:
        yield name, result.not_applicable, "", result.status, units
        return
    if result.score is None:
        yield f"{name} {what}", f"not applicable: {result.not_applicable}", "", result.status, ""
        return
    value = interval_in_words(result.score)
    yield f"{name} {what}", value, f"{result.score.n:,}", result.status, units
    for kind, compared in (("control", result.controls), ("baseline", result.baselines)):
        if not compared:
            yield f"  no {kind}", "", "", "", ""
        for one, against in compared.items():
            score = against.score
            yield f"  {kind}: {one}", interval_in_words(score), f"{score.n:,}", "", ""


def _print_stages(stages: Sequence[Mapping[str, Any]]) -> None:
    heading("Stages")
    grid(
        ("stage", "kind", "state", "took", "planned", "key", "reason"),
        [
            (
                stage["name"],
                stage["kind"],
                stage["state"],
                seconds_in_words(stage["seconds"]) if stage["state"] == DONE else "",
                seconds_in_words(stage["planned"].get("seconds")),
                stage["key"],
                stage["reason"],
            )
            for stage in stages
        ],
        (Shape(), Shape(), Shape(), _TO_THE_RIGHT, _TO_THE_RIGHT),
    )
