"""Keys: what a result is made of, as one hash. Equal keys mean that nothing need be done again."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, sha256_file
from sonde.experiments.identity import model_identity
from sonde.experiments.inputs import no_such_file
from sonde.experiments.spec import Planned
from sonde.experiments.stage import Stage


def made_of(
    stage: Stage,
    planned: Planned,
    name: str,
    keys: Mapping[str, str],
    claims: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return everything that decides a stage's result, as JSON values.

    Its kind and code version, its settings (files by content, not by path), the keys of its
    inputs, and where they matter the model's identity, the seed and the verdicts on claims. A gate
    decides whether a stage runs, not what comes out, so it is not part of this.

    Raises:
        SondeError: a file that the settings name does not exist.
    """
    files = {
        setting: _content(path, name, setting)
        for setting, path in stage.files(planned.base).items()
    }
    settings = stage.model_dump(mode="json", exclude={"when", "model"})
    for setting in files:
        _taken_out(settings, setting)
    spec = planned.model_of(name)
    inputs = [reference.stage for reference in stage.inputs() if not reference.optional]
    perhaps = stage.optional_inputs(planned.experiment.stages)
    inputs += [other for other in perhaps if other in keys and other not in inputs]
    shown = {"claims": list(claims)} if stage.shows_claims and claims else {}
    return {
        "kind": settings["kind"],
        "version": stage.version,
        "settings": settings,
        "files": files,
        "inputs": {other: keys[other] for other in inputs},
        "model": None if spec is None else model_identity(spec),
        "seed": planned.experiment.seed if stage.uses_seed else None,
        "texts": {field: getattr(planned.experiment, field) for field in stage.reads_texts},
        **shown,
    }


def key_of(content: Mapping[str, Any]) -> str:
    """Return the key: 16 hex digits."""
    return fingerprint(dict(content))


def all_keys(planned: Planned) -> dict[str, str]:
    """Return the key of every stage, without running any.

    Raises:
        SondeError: as ``made_of``.
    """
    keys: dict[str, str] = {}
    for name in planned.order:
        keys[name] = key_of(made_of(planned.experiment.stages[name], planned, name, keys))
    return keys


def known_contents(planned: Planned) -> dict[str, dict[str, Any]]:
    """Return what a variant's stages are made of, as far as it is known without running it.

    What cannot be known now (a missing file, a model out of reach) has no result either.
    """
    contents: dict[str, dict[str, Any]] = {}
    keys: dict[str, str] = {}
    for name in planned.order:
        stage = planned.experiment.stages[name]
        if all(one.optional or one.stage in keys for one in stage.inputs()):
            with suppress(SondeError):
                contents[name] = made_of(stage, planned, name, keys)
                keys[name] = key_of(contents[name])
    return contents


def with_files(settings: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return settings with a value for each file, ``corpus.texts`` within ``corpus``."""
    found = dict(settings)
    for setting, value in files.items():
        first, _, rest = setting.partition(".")
        found[first] = with_files(found.get(first) or {}, {rest: value}) if rest else value
    return found


def _taken_out(settings: dict[str, Any], setting: str) -> None:
    *outer, last = setting.split(".")
    for name in outer:
        settings = settings[name]
    settings.pop(last, None)


def _content(path: Path, name: str, setting: str) -> str:
    if path.is_dir():
        return fingerprint(
            {
                str(file.relative_to(path)): sha256_file(file)
                for file in sorted(path.rglob("*"))
                if file.is_file()
            }
        )
    if not path.is_file():
        raise no_such_file(name, setting, path)
    return sha256_file(path)
