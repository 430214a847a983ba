"""The commands of the ledger, and what each one takes."""

from pathlib import Path
from typing import Annotated

import typer

from sonde.cli.options import (
    Filter,
    Format,
    LedgerOption,
    Out,
    how_many,
    run_number,
    with_filter,
)

ledger_app = typer.Typer(
    help="See what was run and what came out; compare, export, import and check it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@ledger_app.command("list")
@with_filter
def list_runs(
    wanted: Filter,
    sort: Annotated[
        str, typer.Option("--sort", help="By id, started, name, seconds or value.")
    ] = "id",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="The other way round: oldest or lowest first.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", metavar="NUMBER", parser=how_many, help="How many.")
    ] = 20,
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """List runs, newest first, with the first result of each."""
    from sonde.cli.ledger import Order, print_runs

    print_runs(wanted, Order(sort, reverse, limit), out, ledger)


@ledger_app.command("show")
def show_run(
    number: Annotated[
        int,
        typer.Argument(metavar="ID", parser=run_number, help="A run's number.", show_default=False),
    ],
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Show everything about one run: results with controls and baselines, claims, costs, origin."""
    from sonde.cli.ledger_show import print_run

    print_run(number, out, ledger)


@ledger_app.command("compare")
def compare_runs(
    a: Annotated[
        int,
        typer.Argument(metavar="A", parser=run_number, help="A run's number.", show_default=False),
    ],
    b: Annotated[
        int,
        typer.Argument(
            metavar="B", parser=run_number, help="The number of another.", show_default=False
        ),
    ],
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Say what differs between two runs, and whether their results differ by more than noise."""
    from sonde.cli.ledger_compare import print_comparison

    print_comparison(a, b, out, ledger)


@ledger_app.command("supersede")
def supersede_run(
    old: Annotated[
        int,
        typer.Argument(
            metavar="OLD", parser=run_number, help="The run that is wrong.", show_default=False
        ),
    ],
    new: Annotated[
        int,
        typer.Argument(
            metavar="NEW", parser=run_number, help="The run to believe.", show_default=False
        ),
    ],
    why: Annotated[
        str, typer.Option("--why", help="What was wrong, in a sentence.", show_default=False)
    ],
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Mark a run as replaced by another. Nothing is deleted; a failed run counts as resolved."""
    from sonde.cli.ledger import supersede

    supersede((old, new), why, out, ledger)


@ledger_app.command("export")
@with_filter
def export(  # noqa: PLR0913 - a parameter is an option
    *,
    wanted: Filter,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A file that ends in .md, .csv, .parquet or .jsonl; without one, standard output.",
            show_default=False,
        ),
    ] = None,
    format_: Format = None,
    run: Annotated[
        list[int] | None,
        typer.Option(
            "--run", metavar="ID", parser=run_number, help="Only this run; may be repeated."
        ),
    ] = None,
    units: Annotated[
        bool, typer.Option("--units", help="With the scores of every unit (jsonl only).")
    ] = False,
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Write runs as a Markdown table, CSV, Parquet or JSON Lines, which has everything."""
    from sonde.cli.ledger_exchange import Export, export_to

    export_to(file, Export(wanted, tuple(run or ()), units, format_), out, ledger)


@ledger_app.command("import")
def import_from(
    file: Annotated[
        Path,
        typer.Argument(
            help="What `export` wrote, or a Markdown table of runs that is kept by hand.",
            show_default=False,
        ),
    ],
    format_: Format = None,
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Read runs into the ledger. What is there already is left as it is."""
    from sonde.cli.ledger_exchange import import_file

    import_file(file, format_, out, ledger)


@ledger_app.command("verify")
def verify_artifacts(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[ID]...", parser=run_number, help="Only these runs.", show_default=False
        ),
    ] = None,
    out: Out = Path("runs"),
    ledger: LedgerOption = None,
) -> None:
    """Check that every artifact still hashes to what was recorded. Exit code 1 if one does not."""
    from sonde.cli.ledger_exchange import verify

    verify(numbers or [], out, ledger)
