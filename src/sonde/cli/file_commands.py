"""The commands that look at files, write them for others and check them, and what each takes."""

from pathlib import Path
from typing import Annotated

import typer


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
    find: Annotated[
        str,
        typer.Option(
            "--find",
            help="Of a dictionary: latents with these words in a text or token they fire on, or "
            "in a token whose logit they change most.",
            show_default=False,
        ),
    ] = "",
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            help="Of a dictionary: order latents by how often each fires, or by mean, largest, "
            "diversity or specialisation.",
        ),
    ] = "fires",
) -> None:
    """Show what a file or folder holds."""
    from sonde.cli.show import show_file

    show_file(file, latent, find=find, sort=sort)


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
