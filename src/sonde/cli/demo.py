"""``sonde demo``."""

import shutil
import time
from importlib.resources import as_file, files
from pathlib import Path

from sonde.cli.console import console, heading, say, seconds_in_words, table
from sonde.cli.results import print_results
from sonde.cli.run import took
from sonde.core.files import write_text
from sonde.experiments.reports import VariantReport
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import Specification, read_specification

FILE = "demo.yaml"
LOG = "log.md"  # as sonde.experiments.log names it


def run_demo(out: Path, *, fresh: bool) -> None:
    """Run the experiment that comes with sonde, and say what to do next."""
    began = time.perf_counter()
    with as_file(files("sonde.experiments") / FILE) as path:
        spec = read_specification(path)
        if fresh:
            _forget(out.resolve() / spec.name)
        say(spec.variants[0].experiment.question)
        reports = run(spec, Options(out=out, say=_progress))
    print_results(reports)
    _print_ending(spec, reports[0], out, time.perf_counter() - began)


def _forget(root: Path) -> None:
    """Remove all results; the running log stays, because it may hold the user's own remarks."""
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOG:
            path.unlink()


def _progress(text: str) -> None:
    console.print(f"  [dim]{text}[/dim]", soft_wrap=True)


def _print_ending(spec: Specification, report: VariantReport, out: Path, seconds: float) -> None:
    page = report.finished["report"].open()
    heading("Report")
    say(f"  {page}")
    if report.run is None:
        say(f"Everything was done already ({seconds_in_words(seconds)}); --fresh does it again.")
    else:
        say(f"Took {took([report], seconds)}.")
        say(f"Recorded as run {report.run} in the ledger.")
    elsewhere = "" if out == Path("runs") else f" --out {out}"
    copy = out / spec.name / "experiment.yaml"
    write_text(copy, spec.text)
    heading("Next: your own data and model")
    table(
        ("", ""),
        [
            (f"  cp {copy} mine.yaml", "then put your CSV and your model into mine.yaml"),
            ("  sonde plan mine.yaml", "what it needs, before anything runs"),
            ("  sonde run mine.yaml", "the same steps on your data"),
            (f"  sonde ledger list{elsewhere}", "every run, and what came out"),
        ],
    )
