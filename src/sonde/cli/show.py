"""``sonde show``."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sonde.cli.console import bytes_in_words, heading, say, table
from sonde.cli.results import headline, print_summary
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.core.words import in_words
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.results import Found, experiments_in, identify, result_folders
from sonde.experiments.runner import VARIANTS

EXPORTED = ("vectors", "steer")  # kinds of stages that `sonde export` takes


def show_file(
    path: Path, latent: int | None = None, *, find: str = "", sort: str = "fires"
) -> None:
    """Print what a file or folder holds; of a dictionary or its samples, the latents asked for.

    Raises:
        SondeError: nothing is there that sonde wrote, or latents are asked of something else.
    """
    found = identify(path)
    if found.kind in ("dictionary", "dictionary samples"):
        _dictionary(found.path, found.kind, latent, find, sort)
        return
    if latent is not None or find or sort != "fires":
        raise SondeError(
            f"{path} has no latents.",
            fix="Give --latent, --find and --sort with a dictionary or its samples.",
        )
    if found.kind == "file":
        from sonde.cli.show_experiment import show_experiment

        show_experiment(found.path)
        return
    shown: Mapping[str, Callable[[Path], None]] = {
        "probe": _probe,
        "probe results": _probe_results,
        "eraser": _eraser,
        "vector": _vector,
        "vectors": _vectors,
        "steering": _steering,
        "control vector": _export,
        "steering-vectors": _export,
        "store": _store,
        "result": _result,
        "stage": _stage,
        "experiment": _experiment,
        "runs": _runs,
    }
    shown[found.kind](found.path)


def _probe(path: Path) -> None:
    from sonde.cli.show_probe import show_probe

    show_probe(path)


def _probe_results(path: Path) -> None:
    from sonde.cli.show_probe_results import show_probe_results

    show_probe_results(path)


def _eraser(path: Path) -> None:
    from sonde.cli.show_eraser import show_eraser

    show_eraser(path)


def _vector(path: Path) -> None:
    from sonde.cli.show_vectors import show_vector

    show_vector(path)


def _vectors(path: Path) -> None:
    from sonde.cli.show_vectors import show_vector_set

    show_vector_set(path)


def _steering(path: Path) -> None:
    from sonde.cli.show_steering import show_steering

    show_steering(path)


def _dictionary(path: Path, kind: str, latent: int | None, find: str, sort: str) -> None:
    from sonde.cli.show_dictionary import Browsing, show_dictionary, show_samples

    asked = Browsing(latent, find, sort)
    (show_dictionary if kind == "dictionary" else show_samples)(path, asked)


def _export(path: Path) -> None:
    from sonde.cli.show_export import show_export

    show_export(path)


def _store(path: Path) -> None:
    from sonde.activations.store import ActivationStore

    store = ActivationStore.open(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    say(f"{len(store):,} rows of activations, {bytes_in_words(size)}")
    _facts(store.origin.model_dump())
    heading(f"Left out: {len(store.skipped)}")
    for skipped in store.skipped[:20]:
        say(f"  {skipped.example}: {skipped.reason} {skipped.detail}".rstrip())


def _facts(facts: Mapping[str, Any]) -> None:
    """Print what is known; what is empty is left out."""
    rows = [(name, in_words(value, name)) for name, value in facts.items()]
    table(("", ""), [(name, words) for name, words in rows if words not in ("", "–", "none")])


def _result(path: Path) -> None:
    done = _read(path)
    say(f"{done.stage} ({done.kind}), key {done.key}, sonde {done.sonde_version}")
    print_summary(done.stage, done.summary)
    heading("Made of")
    _facts({**done.made_of["settings"], **done.made_of["files"], **done.made_of["inputs"]})
    heading("Files")
    for name in done.files:
        say(f"  {path / name}")
    if done.kind in EXPORTED:
        heading("For another tool")
        say(f"  sonde export {path} --to gguf --out {done.stage}.gguf")


def _read(path: Path) -> Done:
    done = ResultFolder(path).done
    if done is None:
        raise SondeError(f"{path} is unfinished.")
    return done


def _stage(path: Path) -> None:
    folders = result_folders(Found("stage", path))
    say(f"{len(folders)} result{'s' if len(folders) > 1 else ''} of the stage {path.name}")
    rows = [(folder.name, headline(_read(folder).summary), str(folder)) for folder in folders]
    table(("key", "result", "where"), rows)


def _runs(path: Path) -> None:
    rows: list[tuple[str, str, str, str]] = []
    for folder in experiments_in(path):
        variants = _variants(folder)
        names = dict.fromkeys(name for variant in variants for name in variant["stages"])
        heads = (_head(folder, variant["stages"].values()) for variant in variants)
        first = next((words for words in heads if words), "")
        rows.append((folder.name, str(max(len(variants), 1)), ", ".join(names), first))
    table(("experiment", "variants", "stages", "first result"), rows)
    say("`sonde show` on an experiment's folder shows more; `sonde ledger list` shows every run.")


def _head(root: Path, folders: Iterable[str]) -> str:
    summaries = (ResultFolder(root / folder).done for folder in folders)
    return next((words for one in summaries if one and (words := headline(one.summary))), "")


def _variants(root: Path) -> list[dict[str, Any]]:
    """Return what the last run of an experiment used; all that is finished if none ever ended."""
    if (root / VARIANTS).is_file():
        return read_json(root / VARIANTS)
    folders = result_folders(Found("experiment", root))
    stages = {folder.parent.name: str(folder.relative_to(root)) for folder in folders}
    return [{"variant": "", "stages": stages, "skipped": {}}]


def _experiment(path: Path) -> None:
    if not (path / VARIANTS).is_file():
        say("No run of this experiment has ended yet; these results are finished.")
    for variant in _variants(path):
        heading(variant["variant"] or path.name)
        found = {name: ResultFolder(path / one).done for name, one in variant["stages"].items()}
        rows = [
            (name, done.kind if done else "unfinished", str(path / variant["stages"][name]))
            for name, done in found.items()
        ]
        rows += [(name, "skipped", reason) for name, reason in variant["skipped"].items()]
        table(("stage", "kind", "where"), rows)
        for name, done in found.items():
            if done is not None:
                print_summary(name, done.summary, short=True)
