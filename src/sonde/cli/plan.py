"""``sonde plan``."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.markup import escape

from sonde.cli.claims import print_claims_planned
from sonde.cli.console import bytes_in_words, console, heading, say, seconds_in_words, table
from sonde.core.quantities import dollars_in_words, energy_in_words
from sonde.experiments.cost import Expected, Prices, load_prices, total_expected
from sonde.experiments.hardware import Hardware, named_hardware
from sonde.experiments.planning import StagePlan, VariantPlan, plan
from sonde.experiments.spec import read_specification
from sonde.experiments.trackers import tracker_problems

DOES = {
    "run": "will run",
    "done": "done already",
    "skip": "will be skipped",
    "gate": "perhaps",
}
NOT_KNOWN = "not known"


def show_plan(
    path: Path,
    changes: Sequence[str],
    out: Path,
    hardware: str | None,
    ledger: str | None = None,
) -> None:
    """Print what a run would do, and exit with 1 if something stands in its way."""
    spec = read_specification(path, changes)
    prices = load_prices()
    machine = named_hardware(hardware)
    plans = plan(spec, out, machine, prices, ledger)
    say(f"{spec.name}: {len(spec.variants)} variant{'s' if len(spec.variants) > 1 else ''}")
    say(
        f"Hardware: {machine.name}, {machine.flops / 1e12:.3g} TFLOP/s attained, "
        f"{machine.bandwidth / 1e9:.0f} GB/s, {bytes_in_words(machine.memory)} of memory"
    )
    for variant in plans:
        _print_variant(variant)
    print_claims_planned(spec, out, ledger)
    problems = tuple(dict.fromkeys(text for variant in plans for text in variant.problems))
    problems += tracker_problems(spec)
    problems += _print_sums(plans, machine, prices, out)
    if problems:
        heading("In the way")
        for problem in problems:
            console.print(f"[red]-[/red] {escape(problem)}", markup=True, soft_wrap=True)
        raise typer.Exit(1)
    say("Every input is there.")


def _print_variant(variant: VariantPlan) -> None:
    heading(variant.label or "Stages")
    table(
        ("stage", "kind", "", "time", "memory", "disk", "why / from what"),
        [_row(stage) for stage in variant.stages],
    )
    for name, sizes in variant.models.items():
        say(
            f"Model {name}: {bytes_in_words(sizes.weights)} of weights in {sizes.dtype}, "
            f"{bytes_in_words(sizes.peak_loading)} at the peak of loading"
        )


def _row(stage: StagePlan) -> tuple[str, ...]:
    if not stage.works:
        return (stage.name, stage.kind, DOES[stage.does], "", "", "", stage.note)
    estimate, expected = stage.estimate, stage.expected
    known = not expected.unknown
    return (
        stage.name,
        stage.kind,
        "cannot run" if stage.problems else DOES[stage.does],
        seconds_in_words(expected.seconds) if known else NOT_KNOWN,
        (bytes_in_words(estimate.memory) if estimate.memory else "") if known else NOT_KNOWN,
        (bytes_in_words(estimate.disk) if estimate.disk else "") if known else NOT_KNOWN,
        "; ".join(text for text in (stage.note, expected.basis, expected.unknown) if text),
    )


def _print_sums(
    plans: Sequence[VariantPlan], machine: Hardware, prices: Prices, out: Path
) -> tuple[str, ...]:
    """Print what all variants need together; return what the machine lacks, with advice."""
    working = [stage for variant in plans for stage in variant.stages if stage.works]
    known = total_expected(stage.expected for stage in working if not stage.expected.unknown)
    unknown: dict[str, list[str]] = {}  # reason -> stages
    for stage in working:
        names = unknown.setdefault(stage.expected.unknown, []) if stage.expected.unknown else []
        if stage.name not in names:
            names.append(stage.name)
    heading("Together")
    stages = ", ".join(name for names in unknown.values() for name in names)
    more = f", and {stages} ({NOT_KNOWN})" if unknown else ""
    say(f"Time: about {seconds_in_words(known.seconds)}{more}")
    lacks = _print_memory(known, unknown, machine) + _print_disk(known, more, out)
    _print_bill(known, more, machine, prices)
    return lacks


def _print_memory(
    known: Expected, unknown: Mapping[str, Sequence[str]], machine: Hardware
) -> tuple[str, ...]:
    peak, most = known.memory or 0, bytes_in_words(machine.memory)
    if peak > machine.memory:
        say(f"Memory: {bytes_in_words(peak)} at the peak, of {most}: DOES NOT FIT")
        return (
            "Memory: the largest model does not fit. Choose a smaller model or dtype, quantise it "
            "(model.quantise=4), or plan for larger hardware (--hardware).",
        )
    for why, stages in unknown.items():
        say(f"Memory of {', '.join(stages)}: {NOT_KNOWN}. {why}")
    if unknown and peak:
        say(f"Memory of the others: {bytes_in_words(peak)} at the peak, of {most}")
    elif not unknown:
        say(f"Memory: {bytes_in_words(peak)} at the peak, of {most}: fits")
    return ()


def _print_disk(known: Expected, more: str, out: Path) -> tuple[str, ...]:
    there = next(folder for folder in [out.resolve(), *out.resolve().parents] if folder.exists())
    free = shutil.disk_usage(there).free
    disk = known.disk or 0
    enough = "" if disk <= free else ": NOT ENOUGH"
    say(f"Disk: {bytes_in_words(disk)}{more}, of {bytes_in_words(free)} free{enough}")
    if disk <= free:
        return ()
    return (
        "Disk: this does not fit. Read fewer layers or positions, keep fewer checkpoints, or write "
        "elsewhere (--out).",
    )


def _print_bill(known: Expected, more: str, machine: Hardware, prices: Prices) -> None:
    """Print energy and money; where they are not known, say what would make them so."""
    if known.joules is not None and machine.watts is not None:
        say(
            f"Energy: at most {energy_in_words(known.joules)}{more} "
            f"({machine.watts:.0f} W, the board's full power)"
        )
    else:
        say(f"Energy: {NOT_KNOWN}, because the power of {machine.name} is not in the table")
    hourly = prices.hourly(machine.gpus)
    if hourly is None:
        names = ", ".join(machine.gpus)
        say(f"Money: {NOT_KNOWN}, because {names} has no price (see docs/how-to/cost.md)")
    elif hourly == 0:
        say("Money: nothing, at the price of this machine ($0.00 an hour)")
    else:
        date = f", as of {prices.as_of}" if prices.as_of else ""
        source = f"from {prices.source}" if prices.source else "a rough on-demand price"
        say(
            f"Money: about {dollars_in_words(known.dollars or 0.0)}{more} "
            f"(${hourly:.2f} an hour, {source}{date})"
        )
