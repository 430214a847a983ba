"""Write the reference pages that follow from the code; ``--check`` only compares them.

python docs/generate.py            write docs/reference/experiment-file.md and cli.md
python docs/generate.py --check    exit with 1 if a page is not what the code says
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.cli.app import app
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.sparsity import Sparsity
from sonde.dictionaries.training.settings import AuxK, Optimiser, Resampling, Training
from sonde.experiments.claims.specification import AnyClaim, Claim, ReferenceValue
from sonde.experiments.spec import Experiment
from sonde.experiments.stages import AnyStage
from sonde.experiments.stages.dictionary import KeptCheckpoints, StoredRows
from sonde.experiments.stages.steer_gate import GateSettings
from sonde.experiments.trackers.settings import AnyTracker, TrackerSettings
from sonde.judges.settings import JudgeSettings
from sonde.models.spec import ModelSpec
from sonde.probes.settings import ProbeSettings, SweepSettings
from sonde.probes.settings.networks import NetworkSettings
from sonde.steering.settings import Limit, ScreenSettings, SearchSettings
from sonde.vectors.exports.settings import Selection
from sonde.vectors.settings import GradientSettings

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by docs/generate.py from the code. Change the code, then run `make docs`. -->\n"
# Classes whose description is not about settings.
PLUMBING = (
    "pydantic.main",
    "sonde.core.base",
    "sonde.experiments.stage",
    "sonde.experiments.stages.with_model",
    "builtins",
)

ANNOTATED = re.compile(r"Optional\[Annotated\[(\w+), FieldInfo\(.*\)\]\]")

# What a value is, by a part of its type's name: the first that fits.
SHAPES = {
    "Wandb": "list of names or mappings",
    "balance.": "`none`, `square_root`, `inverse` or `resample`, or a mapping",
    "ledoit_wolf": "`ledoit_wolf`, or a number from 0 to 1",
    "TransferSource": "mapping",
    "GateSettings": "mapping",
    "int | tuple[int": "list of blocks and of lists of blocks, or `best`",
    "Settings": "a name or mapping",
    "sparsity.": "mapping",
    "training.settings.": "mapping",
    "int, FieldInfo": "list of counts",
    "float, FieldInfo": "list of two numbers from 0 to 1",
    "StoredRows": "a stage or mapping",
    "Stage": "mapping of stages",
    "AllOf": "mapping of claims",
    "ReferenceValue": "mapping of values",
    "JudgedCoherence": "mapping",
    "Selection": "mapping",
    "'best', 'all'": "a block, a list of blocks, `best` or `all`",
}


# Mappings inside a stage that have keys of their own, by its kind.
NESTED: dict[str, tuple[tuple[str, Any], ...]] = {
    "dictionary": (
        ("corpus", CorpusSettings),
        ("activations", StoredRows),
        ("dictionaries.<name>", DictionarySettings),
        ("dictionaries.<name>.sparsity", Sparsity),
        ("training", Training),
        ("training.optimiser", Optimiser),
        ("training.aux", AuxK),
        ("training.resampling", Resampling),
        ("shuffle", ShuffleSettings),
        ("samples", SampleSettings),
        ("checkpoints", KeptCheckpoints),
    ),
    "vectors": (("gradient", GradientSettings),),
    "export": (("select", Selection),),
    "steer": (
        ("judge", JudgeSettings),
        ("gate", GateSettings),
        ("search", SearchSettings),
        ("search.screen", ScreenSettings),
        ("search.limit", Limit),
    ),
}


def main() -> None:
    """Write or compare every page."""
    pages = {"experiment-file.md": experiment_file(), "cli.md": command_line()}
    stale = [name for name, text in pages.items() if _read(REFERENCE / name) != text]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit(f"Not what the code says: {', '.join(stale)}. Run `make docs`.")
        print("The generated pages are up to date.")
        return
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).write_text(pages[name], encoding="utf-8")
    print(f"Written: {', '.join(stale) or 'nothing, all were up to date'}")


def experiment_file() -> str:
    """Return the page about the experiment file."""
    parts = [
        "# The experiment file",
        NOTE,
        "One YAML file describes an experiment: a name, a question, a model, and named stages that "
        "refer to each other. `sonde run` runs the stages that are not done yet; the result of "
        "each lies under `runs/<name>/<stage>/<key>/`, where the key is a hash of the stage's own "
        "settings, the content of its files, the keys of its inputs and, where they matter, the "
        "model's weights and the seed. `sonde plan` says beforehand what that will need.",
        "```yaml\n" + _demo() + "```",
        "Relative paths start at the folder of the file. `--set PATH=VALUE` changes one value for "
        "one run: the path starts at the top (`model.dtype`) or at a stage (`acts.layers`).",
        "## At the top",
        _fields(Experiment, skip=()),
        "### `model`",
        _doc(ModelSpec),
        _fields(ModelSpec, skip=()),
        "### `sweep`",
        "A mapping from paths to lists of values; every combination is a variant, and stages that "
        "do not differ between variants run once.",
        "```yaml\nsweep:\n  seed: [0, 1, 2]\n  acts.positions: ['prompt[-1]', user.mean]\n```",
        "### `when`",
        "Every stage may have a gate: it runs only if the condition holds on the summaries of "
        "earlier stages. A condition compares values with numbers (`<`, `<=`, `>`, `>=`, `==`, "
        "`!=`), joined by `and` and `or`, with parentheses. What reads a skipped stage is skipped "
        "too; a report does without.",
        "```yaml\nwhen: truth.selected.low > 0.6 and acts.rows >= 100\n```",
        "`sonde show` on a stage's folder prints the summary that conditions can read.",
        *_claims(),
        *_trackers(),
    ]
    for stage in _stages():
        kind = stage.model_fields["kind"].default
        parts += [f"## kind: `{kind}`", _doc(stage), _fields(stage, skip=("kind", "when"))]
        if kind == "probe":
            parts += _methods()
        if kind in NESTED:
            parts += [text for title, part in NESTED[kind] for text in _nested(title, part)]
    return "\n\n".join(parts) + "\n"


def _nested(title: str, part: Any) -> list[str]:
    """Return a mapping inside a stage: its settings, or those of each of its kinds."""
    kinds = get_args(get_args(part)[0]) if get_args(part) else ()
    if not kinds:
        return [f"### `{title}`", _plain(part.__doc__), _fields(part, skip=())]
    parts: list[str] = []
    for one in kinds:
        (name,) = get_args(one.model_fields["kind"].annotation)
        parts += [f"### `{title}`, kind: `{name}`", _doc(one), _fields(one, skip=("kind",))]
    return parts


def _methods() -> list[str]:
    """Return what every kind of probe shares, and then each kind's own settings."""
    shared = tuple(SweepSettings.model_fields)
    parts = ["### method: any", _plain(SweepSettings.__doc__), _fields(SweepSettings, skip=())]
    for method in get_args(get_args(ProbeSettings)[0]):
        parts += [f"### method: `{method.model_fields['kind'].default}`", _plain(method.__doc__)]
        if issubclass(method, NetworkSettings):
            told = _plain(NetworkSettings.__doc__)
            parts.append(told if told not in parts else "What is trained and how is as for `mlp`.")
        parts += [_fields(method, skip=("kind", *shared))]
    return parts


def _claims() -> list[str]:
    """Return the parts about claims and stated values."""
    parts = [
        "### `claims`",
        "What is claimed, by name: registered in the ledger before the first result exists, judged "
        "when all variants have run ([how to](../how-to/claims.md)). A number is named "
        "`STAGE.RESULT`; `/NAME` after it is a control or baseline of that result "
        "(`news.selected/bag of tokens`), ` [VARIANT]` a variant of a sweep "
        "(`news.selected [seed=1]`).",
        "```yaml\n"
        "claims:\n"
        "  readable:\n"
        "    statement: Good news can be read better than from the words alone.\n"
        "    kind: superiority\n"
        "    of: news.selected\n"
        "    over: news.selected/bag of tokens\n"
        "    by: 0.05\n"
        "```",
        "Keys of every claim:",
        _fields(Claim, skip=()),
    ]
    for kind in get_args(get_args(AnyClaim)[0]):
        (name,) = get_args(kind.model_fields["kind"].annotation)
        skip = ("kind", *Claim.model_fields)
        parts += [f"#### kind: `{name}`", _own_doc(kind), _fields(kind, skip=skip)]
    return [
        *parts,
        "### `references`",
        "Values stated elsewhere, by result. A result is `reproduced` where it lies within the "
        "tolerance, `inconclusive` where only its interval reaches it, `novel` otherwise.",
        _fields(ReferenceValue, skip=()),
    ]


def _trackers() -> list[str]:
    """Return the parts about trackers."""
    parts = [
        "### `track`",
        "Where the numbers of a run are followed as it goes ([how to](../how-to/trackers.md)). A "
        "file of JSON Lines is always written: `<runs>/<experiment>/metrics/<run>.jsonl`. A name "
        "is enough for a tracker without settings.",
        "```yaml\ntrack:\n- tensorboard\n- {kind: wandb, project: probes, mode: offline}\n```",
        "Keys of every tracker:",
        _fields(TrackerSettings, skip=()),
    ]
    for kind in get_args(get_args(AnyTracker)[0]):
        name = kind.model_fields["kind"].default
        skip = ("kind", *TrackerSettings.model_fields)
        parts += [f"#### kind: `{name}`", _own_doc(kind), _fields(kind, skip=skip)]
    return parts


def command_line() -> str:
    """Return the page about the commands."""
    root: Any = typer.main.get_command(app)
    parts = ["# The command line", NOTE, str(root.help)]
    for path, command in _commands(root, "sonde"):
        parts += [f"## `{path}`", str(command.help)]
        rows = [_parameter(one) for one in command.params if one.name != "help"]
        if rows:
            parts.append(_table(("", "", ""), rows))
    parts.append(
        "## Exit codes\n\n0: done. 1: a check failed (`doctor`, `verify`, `plan`), or a fault in "
        "sonde. 2: a mistake in what was given; the message says how to mend it. 130: stopped by "
        "Ctrl-C; finished work is kept."
    )
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _parameter(one: Any) -> tuple[str, str, str]:
    is_option = one.param_type_name == "option"
    name = (
        ", ".join(f"`{text}`" for text in one.opts)
        if is_option
        else f"`{(one.metavar or one.name).upper()}`"
    )
    default = one.default if is_option and not callable(one.default) else None
    shown = "" if default in (None, False, ()) else f"default `{default}`"
    return name, str(getattr(one, "help", "") or ""), shown


def _stages() -> tuple[type[BaseModel], ...]:
    return get_args(get_args(AnyStage)[0])


def _fields(model: type[BaseModel], skip: tuple[str, ...]) -> str:
    rows = [
        (f"`{name}`", _type(field), _default(field), field.description or "")
        for name, field in model.model_fields.items()
        if name not in skip
    ]
    return _table(("key", "value", "default", ""), rows)


def _type(field: FieldInfo) -> str:
    text = (
        str(field.annotation)
        if not isinstance(field.annotation, type)
        else field.annotation.__name__
    )
    for noise in (
        "typing.",
        "sonde.models.spec.",
        "sonde.data.settings.",
        "NoneType",
        "<class '",
        "'>",
    ):
        text = text.replace(noise, "")
    text = ANNOTATED.sub(r"\1 | None", text)
    for sign, said in SHAPES.items():
        if sign in text:
            return said
    return f"`{text}`".replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default_factory is not None or field.default is PydanticUndefined:
        return ""
    if field.default is None or isinstance(field.default, BaseModel):
        return ""
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{value}`"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in lines)


def _doc(model: type[BaseModel]) -> str:
    """Return a class's description, and that of the settings it takes over."""
    homes = [base for base in model.__mro__[1:] if base.__module__ not in PLUMBING]
    texts = [model.__doc__ or "", *(base.__doc__ or "" for base in homes if base is not object)]
    return "\n\n".join(map(_plain, texts))


def _plain(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().splitlines()).replace("``", "`")


def _own_doc(model: type[BaseModel]) -> str:
    return "\n".join(line.strip() for line in (model.__doc__ or "").strip().splitlines())


def _demo() -> str:
    import sonde.experiments

    folder = Path(sonde.experiments.__file__).parent
    return (folder / "demo.yaml").read_text(encoding="utf-8")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
