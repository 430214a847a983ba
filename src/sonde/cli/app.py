"""The commands, and what each one takes."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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


@app.command()
def show(
    file: Annotated[
        Path,
        typer.Argument(
            help="A probe, an eraser, a vector or a set of them, a dictionary or its samples, a "
            "file exported for another tool, the folder of a search or of saved probe results, a "
            "store of activations, an experiment file, or a folder of results: of a stage, of an "
            "experiment, or of all.",
            show_default=False,
        ),
    ],
    latent: Annotated[
        int | None,
        typer.Option(
            "--latent",
            help="Of a dictionary: show this latent alone, with the texts that it is active on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a file or folder holds."""
    from sonde.cli.show import show_file

    show_file(file, latent)


@app.command()
def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="A vector, a set of them, or the folder of a vectors or steer stage; of a search "
            "what it found is exported.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option("--to", help="gguf, easysteer or steering-vectors.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file.", show_default=False)],
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="KEY=VALUE,…",
            help="Which vectors: method=probe,layer=15,position=response[:5],cleaning=none. "
            "layer may be several, best or all.",
            show_default=False,
        ),
    ] = None,
    coefficient: Annotated[
        float | None,
        typer.Option(
            "--coefficient",
            help="Typical norms that a tool's scale of 1 adds.  [default: what the search found, "
            "else 1]",
            show_default=False,
        ),
    ] = None,
    unit: Annotated[
        str,
        typer.Option("--unit", help="raw, or unit_length for the direction alone."),
    ] = "raw",
) -> None:
    """Write vectors as a file for llama.cpp, repeng, EasySteer or steering-vectors."""
    from sonde.cli.export import export as export_vectors

    export_vectors(source, to, out, select or [], coefficient, unit)


@app.command()
def convert(  # noqa: PLR0913 - a parameter is an option
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="A dictionary: a file, a folder, or hf:owner/name/folder.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Argument(help="The folder; of sonde's format a file.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="sonde, saelens, sparsify or dictionary-learning.", show_default=False
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", help="IN's format.  [default: recognised]", show_default=False),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="HOOK",
            help="What it reads, where IN does not say: blocks.12.resid_post; may be repeated.",
            show_default=False,
        ),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="HOOK",
            help="What a transcoder writes; may be repeated.",
            show_default=False,
        ),
    ] = None,
    activations: Annotated[
        Path | None,
        typer.Option("--activations", help="A store to check on as well.", show_default=False),
    ] = None,
    drop_groups: Annotated[
        bool, typer.Option("--drop-groups", help="Write the whole without Matryoshka prefixes.")
    ] = False,
    push: Annotated[
        str | None,
        typer.Option(
            "--push",
            metavar="OWNER/NAME",
            help="Publish it on the hub, with a card.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(
            "--metrics", help="JSON of metrics and numbers, for the card.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a dictionary in another library's format, if it stays the same function."""
    from sonde.cli.convert import Wish
    from sonde.cli.convert import convert as convert_dictionary
    from sonde.dictionaries.formats.content import HookPoints

    hooks = HookPoints(tuple(sources or ()), tuple(targets or ()))
    wish = Wish(to, from_ or "", hooks, activations, drop_groups, push or "", metrics)
    convert_dictionary(source, out, wish)


@app.command()
def verify(
    path: Annotated[
        Path,
        typer.Argument(
            help="A probe, an eraser, a vector or a set of them, a file exported for another tool, "
            "the folder of a search or of saved probe results, a store of activations, or a folder "
            "of results: of a stage, of an experiment, or of all.",
            show_default=False,
        ),
    ],
) -> None:
    """Check every byte against its recorded hash. Exit code 1 with the list of problems."""
    from sonde.cli.verify import verify_path

    verify_path(path)


@app.command()
def agreement(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Tables of judged answers: CSV, JSON Lines or Parquet.", show_default=False
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            help="A judge's scores; may be repeated.  [default: score]",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="The column that names an answer.  [default: id, else question and answer]",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group", help="The column of independent units, such as question.", show_default=False
        ),
    ] = None,
) -> None:
    """Say how far judges agree: Spearman, quadratic κ and mean difference, with intervals."""
    from sonde.cli.agreement import print_agreement

    print_agreement(files, column or [], by, group)


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
