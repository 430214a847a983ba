"""Dictionaries on the Hugging Face hub: fetched when they are needed, and published."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sonde.core.errors import SondeError
from sonde.models.hub import look_up

WEIGHTS = (".safetensors", ".npz", ".pt")
KEPT = (*WEIGHTS, ".json", ".yaml")
SHOWN = 5
_OF_SET = re.compile(r"layer_\d+\.safetensors")  # circuit-tracer's transcoders, one a file
_STATE = re.compile(r"(optimizer|lr_scheduler|state)(_\d+)?\.pt")  # of a training: sparsify's
_NAME = re.compile(r"(hf:)?([\w][\w.-]*/[\w][\w.-]*)((?:/[^/@]+)*)/?(?:@([\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, a folder or file in it, and a revision where one is asked for."""

    id: str
    inside: str = ""
    revision: str | None = None

    def __str__(self) -> str:
        path = f"{self.id}/{self.inside}" if self.inside else self.id
        return f"{path}@{self.revision}" if self.revision else path


def named(text: str) -> Repository | None:
    """Read ``hf:owner/name``, with a folder and ``@revision`` behind it; ``hf:`` may be left out.

    None where the text cannot be the name of a repository.

    Raises:
        SondeError: it begins with ``hf:`` and is none.
    """
    match = _NAME.fullmatch(text)
    if match is None or ".." in text.split("/"):
        if text.startswith("hf:"):
            raise SondeError(
                f"{text!r} is not a repository of the hub.",
                fix="Write hf:owner/name or hf:owner/name/folder, with @revision where needed.",
            )
        return None
    return Repository(match[2], match[3].strip("/"), match[4])


def fetched(repository: Repository) -> Path:
    """Fetch the files of a dictionary into the hub's cache; return their folder, or the file.

    Raises:
        SondeError: there is no such repository, it holds nothing there, or there is neither network
            nor a cached copy.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    try:
        listing = look_up(repository.id, repository.revision)
    except SondeError as error:
        reason = error.__cause__
        if isinstance(reason, OSError | HTTPError) and not isinstance(reason, HfHubHTTPError):
            return _cached(repository, reason)
        raise
    if listing.folder is not None:
        return _existing(listing.folder / repository.inside, repository)
    wanted = _wanted(repository, sorted(listing.sizes))
    from huggingface_hub import hf_hub_download

    with _failing(f"Fetching {str(repository)!r} from the hub failed"):
        paths = [
            Path(hf_hub_download(repository.id, name, revision=repository.revision))
            for name in wanted
        ]
    root = paths[0].parents[wanted[0].count("/")]
    return _existing(root / repository.inside, repository)


def _wanted(repository: Repository, names: list[str]) -> list[str]:
    """Return the files of the asked folder; of a file, it and the settings beside it."""
    inside = repository.inside
    below = [one for one in names if one == inside or one.startswith(f"{inside}/") or not inside]
    kept = _outermost([one for one in below if one.endswith(KEPT)])
    if not kept:
        folders = sorted({one.split("/")[0] for one in names if "/" in one})[:8]
        there = f"; the repository has the folders {', '.join(folders)}" if folders else ""
        raise SondeError(
            f"{str(repository)!r} holds no files of a dictionary{there}.",
            fix="Give the folder of one dictionary: hf:owner/name/folder.",
        )
    _only_one(repository, kept)
    if inside in names:
        folder = inside.rpartition("/")[0]
        kept += [one for one in names if one.rpartition("/")[0] == folder and _is_settings(one)]
    return list(dict.fromkeys(kept))


def _outermost(names: list[str]) -> list[str]:
    """Leave out states of a training, and what lies below a folder with weights: earlier ones."""
    kept = [one for one in names if not _STATE.fullmatch(one.rpartition("/")[2])]
    folders = {PurePosixPath(one).parent for one in kept if one.endswith(WEIGHTS)}
    return [one for one in kept if folders.isdisjoint(PurePosixPath(one).parent.parents)]


def _only_one(repository: Repository, names: list[str]) -> None:
    """Refuse to fetch many dictionaries where one is meant: a repository may have hundreds."""
    weights = [one for one in names if one.endswith(WEIGHTS)]
    several = sorted({one.rpartition("/")[0] for one in weights})
    layers = [one for one in weights if _OF_SET.fullmatch(one.rpartition("/")[2])]
    found = several if len(several) > 1 else layers
    if len(found) > 1:
        more = ", …" if len(found) > SHOWN else ""
        raise SondeError(
            f"{str(repository)!r} holds {len(found)} dictionaries: "
            f"{', '.join(one or 'its root' for one in found[:SHOWN])}{more}.",
            fix=f"Give one of them: hf:{repository.id}/{found[-1]}.",
        )


def _is_settings(name: str) -> bool:
    return name.endswith((".json", ".yaml"))


def _existing(path: Path, repository: Repository) -> Path:
    if not path.exists():
        raise SondeError(f"{repository.id} holds no {repository.inside!r}.")
    return path


def _cached(repository: Repository, reason: BaseException) -> Path:
    """Return what the cache holds of the repository, without network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        root = snapshot_download(repository.id, revision=repository.revision, local_files_only=True)
    except (LocalEntryNotFoundError, OSError, ValueError):
        root = ""
    path = Path(root) / repository.inside
    if not root or not path.exists():
        raise SondeError(
            f"{str(repository)!r} is not in the cache, and the hub cannot be reached "
            f"({_line(reason)}).",
            fix="Connect to the network once, or give a local folder.",
        ) from reason
    return path


def push(path: Path, repository: Repository, card: str) -> str:
    """Publish a dictionary's files with its card; return the address of the commit.

    A folder's files go to the repository's folder, a file goes into it under its own name.

    Raises:
        SondeError: the hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    base = f"{repository.inside}/" if repository.inside else ""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    root = path.parent if path.is_file() else path
    operations = [
        CommitOperationAdd(f"{base}{one.relative_to(root).as_posix()}", one) for one in files
    ]
    operations.append(CommitOperationAdd(f"{base}README.md", card.encode()))
    api = HfApi()
    with _failing(f"Publishing to {str(repository)!r} failed"):
        api.create_repo(repository.id, exist_ok=True)
        made = api.create_commit(
            repository.id,
            operations,
            commit_message=f"Add the dictionary {path.stem}",
            revision=repository.revision,
        )
    return str(made.commit_url)


@contextmanager
def _failing(what: str) -> Generator[None]:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        OfflineModeIsEnabled,
    )

    try:
        yield
    except GatedRepoError as error:
        raise SondeError(
            f"{what}: its owners ask for consent to their terms first.",
            fix="Accept them on the repository's page, then run `hf auth login` (or set HF_TOKEN).",
        ) from error
    except HfHubHTTPError as error:
        code = getattr(error.response, "status_code", None)
        fix = "Run `hf auth login` (or set HF_TOKEN) with a token that may write there."
        refused = code in (401, 403)
        raise SondeError(
            f"{what}: the hub answered with status {code}.",
            fix=fix if refused else "Run the same command again later: what is done is kept.",
        ) from error
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        raise SondeError(
            f"{what}: {_line(error)}.", fix="Run the same command again once there is network."
        ) from error
    except ValueError as error:  # a name or a card that the hub does not take
        said = " ".join(str(error).split()).rstrip(".")
        raise SondeError(
            f"{what}: {said}.", fix="Put right what it names, then run the same command again."
        ) from error


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
