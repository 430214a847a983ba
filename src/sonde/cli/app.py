"""The commands, and what each one takes."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sonde.cli.file_commands import agreement, convert, export, show, verify
from sonde.cli.ledger_commands import ledger_app
from sonde.cli.options import LedgerOption, Out


class Stopped(BaseException):
    """Ctrl-C, in a form that typer hands on instead of ending the process without a word."""


class Commands(TyperGroup):
    """The commands; Ctrl-C inside one reaches ``main``."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped from None


app = typer.Typer(
    cls=Commands,
    name="sonde",
    help="Read, test and steer what a language model represents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(ledger_app, name="ledger")

Spec = Annotated[Path, typer.Argument(help="The experiment file (YAML).", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value of the file, such as acts.layers=auto; may be repeated.",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Read, test and steer what a language model represents."""
    if version:
        from sonde import __version__

        typer.echo(f"sonde {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Out = Path("runs"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Do everything again, kept results too.")
    ] = False,
) -> None:
    """Take a small real model to a first answer: a probe on every layer, and a report."""
    from sonde.cli.demo import run_demo

    run_demo(out, fresh=fresh)


@app.command()
def run(
    spec: Spec,
    changes: Set = None,
    out: Out = Path("runs"),
    force: Annotated[
        list[str] | None,
        typer.Option(
            "--force",
            metavar="STAGE",
            help="Do this stage again; may be repeated.",
            show_default=False,
        ),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Run an experiment. What is done is not done again; an interrupted run goes on."""
    from sonde.cli.run import run_experiment

    run_experiment(spec, changes or [], out, force or [], ledger)


@app.command()
def plan(
    spec: Spec,
    changes: Set = None,
    out: Out = Path("runs"),
    hardware: Annotated[
        str | None,
        typer.Option(
            "--hardware",
            help="A device such as h100 or l4.  [default: this machine, measured]",
            show_default=False,
        ),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Say what a run would do and need: memory, time, disk, missing inputs. Loads no weights."""
    from sonde.cli.plan import show_plan

    show_plan(spec, changes or [], out, hardware, ledger)


@app.command()
def doctor(
    model: Annotated[
        str | None,
        typer.Option("--model", help="Check this model's hook points too.", show_default=False),
    ] = None,
    dictionary: Annotated[
        str | None,
        typer.Option(
            "--dictionary",
            help="Check this dictionary alone, a file, folder or hub id: its weights and, with "
            "--model, whether it is fed the right thing.",
            show_default=False,
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            help="A folder of texts to feed the dictionary; some of Python's own documentation "
            "if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check the installation, the hardware and, on request, a model. Exit code 1 on a failure."""
    if dictionary is not None:
        from sonde.cli.doctor_dictionary import check_dictionary

        if not check_dictionary(dictionary, model, texts):
            raise typer.Exit(1)
        return
    from sonde.cli.doctor import check_health

    check_health(model)


@app.command()
def models() -> None:
    """List the models that can be named without a hub id."""
    from sonde.cli.models import list_models

    list_models()


for command in (show, export, convert, verify, agreement):
    app.command()(command)


@app.command()
def log(
    spec: Spec,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The file.  [default: OUT/NAME/log.md]", show_default=False),
    ] = None,
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Write the running log of an experiment as Markdown. Your own remarks in it are kept."""
    from sonde.cli.log import write_running_log

    write_running_log(spec, to, out, ledger)
