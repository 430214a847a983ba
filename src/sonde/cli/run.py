"""``sonde run``."""

from collections.abc import Sequence
from pathlib import Path

from sonde.cli.console import heading, say
from sonde.cli.results import print_results
from sonde.experiments.cost import took_in_words, total_cost, total_expected
from sonde.experiments.reports import VariantReport
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification


def run_experiment(
    path: Path, changes: Sequence[str], out: Path, force: Sequence[str], ledger: str | None
) -> None:
    """Run an experiment file and print its results."""
    spec = read_specification(path, changes)
    options = Options(out=out, force=tuple(force), ledger=ledger, say=say)
    reports = run(spec, options)
    print_results(reports)
    print_ending(reports, out, ledger)


def print_ending(reports: Sequence[VariantReport], out: Path, ledger: str | None) -> None:
    """Say where everything is, and under which numbers it was recorded."""
    numbers = [str(report.run) for report in reports if report.run is not None]
    for report in reports:
        for stage in report.stages:
            page = stage.finished.summary.get("page")
            if page and not stage.finished.skipped:
                say(f"Report: {stage.finished.folder / str(page)}")
    if not numbers:
        say("Everything was done already; nothing was run again.")
        return
    from sonde.ledger.database import without_password  # imports sqlalchemy, which is slow
    from sonde.ledger.ledger import default_ledger

    where = without_password(ledger or default_ledger(out))
    if spent := took(reports):  # empty where everything was there and claims were judged anew
        say(f"Took {spent}.")
    say(f"Recorded as run {', '.join(numbers)} in {where}.")
    heading("See more")
    say(f"  sonde ledger show {numbers[-1]}{'' if out == Path('runs') else f' --out {out}'}")


def took(reports: Sequence[VariantReport], seconds: float | None = None) -> str:
    """Return what the stages that ran took, beside what was planned for them, in one line.

    ``seconds`` is the wall time of the whole where it is known, else that of the stages.
    """
    ran = [stage for report in reports for stage in report.stages if stage.cost is not None]
    own = sum(stage.seconds for stage in ran)
    cost = total_cost((stage.cost for stage in ran if stage.cost), seconds or own)
    expected = total_expected(stage.expected for stage in ran if stage.expected)
    return "" if cost is None else took_in_words(cost.to_json(), expected.to_json())
