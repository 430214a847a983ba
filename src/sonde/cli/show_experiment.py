"""``sonde show`` of an experiment file."""

from pathlib import Path

from sonde.cli.console import heading, say, table
from sonde.experiments.spec import Specification, read_specification


def show_experiment(path: Path) -> None:
    """Print what an experiment file asks for, and what can be done with it."""
    spec = read_specification(path)
    experiment = spec.variants[0].experiment
    say(f"{spec.name}, an experiment file ({experiment.purpose})")
    if experiment.question:
        say(experiment.question)
    heading("Stages, in the order in which they run")
    table(
        ("stage", "kind", "reads", "only if"), [_row(spec, one) for one in spec.variants[0].order]
    )
    if spec.claims:
        heading("Claims")
        rows = [(name, one.kind, one.statement) for name, one in spec.claims.items()]
        table(("claim", "kind", "what is claimed"), rows)
    labels = [variant.label for variant in spec.variants if variant.label]
    if labels:
        heading(f"{len(labels)} variants")
        for label in labels:
            say(f"  {label}")
    heading("Next")
    table(
        ("", ""),
        [
            (f"  sonde plan {path}", "what it needs, before anything runs"),
            (f"  sonde run {path}", "run it; what is done is not done again"),
            (f"  sonde log {path}", "its running log, from the ledger"),
        ],
    )


def _row(spec: Specification, name: str) -> tuple[str, str, str, str]:
    experiment = spec.variants[0].experiment
    stage = experiment.stages[name]
    kind = str(stage.model_dump(include={"kind"})["kind"])
    return name, kind, ", ".join(experiment.needs(name)), stage.when or ""
