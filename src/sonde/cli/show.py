"""``sonde show``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sonde.cli.console import bytes_in_words, heading, say, table
from sonde.cli.results import print_summary
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.experiments.folder import ResultFolder
from sonde.experiments.results import identify
from sonde.experiments.runner import VARIANTS


def show_file(path: Path) -> None:
    """Print what a file or folder holds."""
    found = identify(path)
    {"probe": _probe, "store": _store, "result": _result, "experiment": _experiment}[found.kind](
        found.path
    )


def _probe(path: Path) -> None:
    from sonde.probes.artifact import header_of, load_probe

    probe = load_probe(path)
    say(str(probe))
    facts = header_of(probe).model_dump(mode="json", exclude={"metrics", "origin", "artifact"})
    table(
        ("", ""), [(name, _flat(value)) for name, value in facts.items() if value not in ("", [])]
    )


def _store(path: Path) -> None:
    from sonde.activations.store import ActivationStore

    store = ActivationStore.open(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    say(f"{len(store):,} rows of activations, {bytes_in_words(size)}")
    facts = {
        name: value for name, value in store.origin.model_dump().items() if value not in ("", ())
    }
    table(("", ""), [(name, _flat(value)) for name, value in facts.items()])
    heading(f"Left out: {len(store.skipped)}")
    for skipped in store.skipped[:20]:
        say(f"  {skipped.example}: {skipped.reason} {skipped.detail}".rstrip())


def _result(path: Path) -> None:
    done = ResultFolder(path).done
    if done is None:
        raise SondeError(f"{path} is unfinished.")
    say(f"{done.stage} ({done.kind}), key {done.key}, sonde {done.sonde_version}")
    print_summary(done.stage, done.summary)
    heading("Made of")
    made = {**done.made_of["settings"], **done.made_of["files"], **done.made_of["inputs"]}
    table(("", ""), [(name, _flat(value)) for name, value in made.items() if value is not None])
    heading("Files")
    for name in done.files:
        say(f"  {path / name}")


def _experiment(path: Path) -> None:
    for variant in read_json(path / VARIANTS):
        heading(variant["variant"] or path.name)
        rows: list[tuple[str, str, str]] = []
        for name, folder in variant["stages"].items():
            done = ResultFolder(path / folder).done
            rows.append((name, done.kind if done else "unfinished", str(path / folder)))
        rows += [(name, "skipped", reason) for name, reason in variant["skipped"].items()]
        table(("stage", "kind", "where"), rows)
        for name, folder in variant["stages"].items():
            done = ResultFolder(path / folder).done
            if done is not None:
                print_summary(name, done.summary, short=True)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value)
        return ", ".join(
            f"{name} {_flat(item)}" for name, item in pairs.items() if item is not None
        )
    if isinstance(value, list | tuple):
        items = list(cast("list[Any]", value))
        shown = [str(item) for item in items]
        return ", ".join(shown) if len(shown) <= 6 else f"{', '.join(shown[:3])} … {shown[-1]}"
    return str(value)
