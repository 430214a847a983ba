"""``sonde plan``."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import typer

from sonde.cli.console import bytes_in_words, console, heading, say, seconds_in_words, table
from sonde.experiments.hardware import Hardware, named_hardware
from sonde.experiments.planning import StagePlan, VariantPlan, plan
from sonde.experiments.spec import read_specification

DOES = {
    "run": "will run",
    "done": "done already",
    "skip": "will be skipped",
    "gate": "perhaps",
}


def show_plan(path: Path, changes: Sequence[str], out: Path, hardware: str | None) -> None:
    """Print what a run would do, and exit with 1 if something stands in its way."""
    spec = read_specification(path, changes)
    machine = named_hardware(hardware)
    plans = plan(spec, out, machine)
    say(f"{spec.name}: {len(spec.variants)} variant{'s' if len(spec.variants) > 1 else ''}")
    say(
        f"Hardware: {machine.name}, {machine.flops / 1e12:.3g} TFLOP/s attained, "
        f"{machine.bandwidth / 1e9:.0f} GB/s, {bytes_in_words(machine.memory)} of memory"
    )
    for variant in plans:
        _print_variant(variant)
    problems = tuple(dict.fromkeys(text for variant in plans for text in variant.problems))
    problems += _print_sums(plans, machine, out)
    if problems:
        heading("In the way")
        for problem in problems:
            console.print(f"[red]-[/red] {problem}", markup=True, soft_wrap=True)
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
    estimate = stage.estimate
    return (
        stage.name,
        stage.kind,
        "cannot run" if stage.problems else DOES[stage.does],
        seconds_in_words(stage.seconds),
        bytes_in_words(estimate.memory) if estimate.memory else "",
        bytes_in_words(estimate.disk) if estimate.disk else "",
        "; ".join(text for text in (stage.note, estimate.basis) if text),
    )


def _print_sums(plans: Sequence[VariantPlan], machine: Hardware, out: Path) -> tuple[str, ...]:
    """Print what all variants need together; return what the machine lacks, with advice."""
    working = [stage for variant in plans for stage in variant.stages if stage.works]
    disk = sum(stage.estimate.disk for stage in working)
    there = next(folder for folder in [out.resolve(), *out.resolve().parents] if folder.exists())
    free = shutil.disk_usage(there).free
    peak = max(
        [
            max(sizes.peak_loading, sizes.weights + stage.estimate.memory)
            for variant in plans
            for stage in variant.stages
            if stage.works
            and stage.model is not None
            and (sizes := variant.models.get(stage.model.name)) is not None
        ],
        default=0,
    )
    heading("Together")
    say(f"Time: about {seconds_in_words(sum(stage.seconds for stage in working))}")
    verdict = "fits" if peak <= machine.memory else "DOES NOT FIT"
    most = bytes_in_words(machine.memory)
    say(f"Memory: {bytes_in_words(peak)} at the peak, of {most}: {verdict}")
    enough = "" if disk <= free else ": NOT ENOUGH"
    say(f"Disk: {bytes_in_words(disk)}, of {bytes_in_words(free)} free{enough}")
    lacks: list[str] = []
    if peak > machine.memory:
        lacks.append(
            "Memory: the largest model does not fit. Choose a smaller model or dtype, quantise it "
            "(model.quantise=4), or plan for larger hardware (--hardware)."
        )
    if disk > free:
        lacks.append(
            "Disk: the activations do not fit. Read fewer layers or positions, or write elsewhere "
            "(--out)."
        )
    return tuple(lacks)
