"""Models from the Hugging Face hub: what a repository holds, at which commit, fetched when needed.

A repository is fetched into the hub's own cache and then read as a local folder, so that there is
one way of loading, and no request is made after the files are there.
"""

import shutil
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.core.hub_refusals import refusals_named
from sonde.models.entries import nearest_entry

GB = 1e9
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that is there
_BESIDE = ("*.json", "*.model", "*.txt", "*.jinja")
_CODE = "*.py"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")  # one of them is enough
_BESIDE_TOKENIZER = ("config.json", "tokenizer*", "*.model", "*.txt", "*.jinja", "*tokens*.json")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit, with their sizes in bytes.

    ``revision`` is what was asked for; files are fetched by it, so that the cache remembers which
    commit it stood for when there is no network. ``folder`` is where the cache holds them then.
    """

    repository: str
    revision: str | None
    commit: str
    sizes: dict[str, int]
    folder: Path | None = None


def look_up(repository: str, revision: str | None) -> Listing:
    """Ask the hub what a repository holds; without network, the cache.

    Raises:
        SondeError: there is no such repository or revision, or it may not be read, or there is
            neither network nor a cached copy.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        with _translated(repository, revision):
            info = HfApi().model_info(
                repository, revision=revision, files_metadata=True, timeout=20
            )
    except HfHubHTTPError as error:
        raise SondeError(
            f"The hub did not answer for {repository!r}: {_status(error)}.",
            fix="Try again later, or give a local folder.",
        ) from error
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        return _cached(repository, revision, error)
    sizes = {item.rfilename: item.size or 0 for item in info.siblings or []}
    return Listing(repository, revision, str(info.sha), sizes)


def _cached(repository: str, revision: str | None, reason: Exception) -> Listing:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repository, "config.json", revision=revision)
    if not isinstance(config, str):
        wanted = f"{repository!r} at revision {revision!r}" if revision else f"{repository!r}"
        raise SondeError(
            f"{wanted} is not in the cache, and the hub cannot be reached ({_reason(reason)}).",
            fix="Connect to the network once, or give a local folder; smollm2-135m-instruct and "
            "random: models need no hub.",
        ) from reason
    folder = Path(config).parent
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    return Listing(repository, revision, folder.name, sizes, folder)


def fetch_config(listing: Listing) -> Path:
    """Fetch the configuration alone, and return its folder.

    Raises:
        SondeError: the repository is gated, or holds no transformers model.
    """
    if "config.json" not in listing.sizes:
        raise SondeError(
            f"The repository {listing.repository!r} holds no config.json, so it is not a model as "
            "transformers saves it.",
            fix=_other_formats(listing),
        )
    return fetch_file(listing, "config.json").parent


def fetch_file(listing: Listing, name: str) -> Path:
    """Fetch one file of a repository.

    Raises:
        SondeError: the repository is gated, or the network failed.
    """
    if listing.folder is not None:
        return listing.folder / name
    from huggingface_hub import hf_hub_download

    with _network(listing.repository), _translated(listing.repository, listing.revision):
        path = hf_hub_download(listing.repository, name, revision=listing.revision)
    return _at_commit(listing, Path(path).parent) / name


def fetch(listing: Listing, *, code: bool = False) -> Path:
    """Fetch everything that loading needs, and return its folder.

    Raises:
        SondeError: there are no weights that sonde reads, the disk is too small, the repository is
            gated, or the network failed.
    """
    weights = weight_files(listing)
    if listing.folder is not None:
        return listing.folder
    wanted = [name for name in listing.sizes if _matches(name, (*_BESIDE, *([_CODE] * code)))]
    _check_disk(listing, [*weights, *wanted])
    from huggingface_hub import snapshot_download

    names = [*weights, *wanted]
    with _network(listing.repository), _translated(listing.repository, listing.revision):
        folder = Path(
            snapshot_download(listing.repository, revision=listing.revision, allow_patterns=names)
        )
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:  # the client hands back what it has when the hub stops answering
        raise SondeError(
            f"Fetching {listing.repository!r} from the hub stopped before {absent[0]}.",
            fix="Run the same command again: what was fetched is kept.",
        )
    return _at_commit(listing, folder)


def _at_commit(listing: Listing, folder: Path) -> Path:
    """Return the folder of a snapshot, which the cache names by its commit, if it is the one."""
    if folder.name != listing.commit:
        raise SondeError(
            f"{listing.repository!r} changed on the hub while it was fetched.",
            fix="Run the same command again, or give a commit as revision.",
        )
    return folder


def fetch_embeddings(listing: Listing, suffix: str) -> Path:
    """Fetch the one weights file that holds the tensor whose name ends in ``suffix``.

    Raises:
        SondeError: the repository has no safetensors, is gated, or the network failed.
    """
    index = "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index in listing.sizes:
        places = read_json(fetch_file(listing, index))["weight_map"]
        names = sorted({file for tensor, file in places.items() if tensor.endswith(suffix)})
    if not names or names[0] not in listing.sizes:
        raise SondeError(
            f"The repository {listing.repository!r} holds no safetensors file with {suffix}.",
            fix="Leave keep out, or use a model folder with safetensors weights.",
        )
    _check_disk(listing, names)
    return fetch_file(listing, names[0]).parent


def fetch_tokenizer(listing: Listing) -> None:
    """Fetch a repository's tokenizer alone, so that ``cached_tokenizer`` finds it.

    Raises:
        SondeError: the repository is gated, or the network failed.
    """
    for name in listing.sizes:
        if _matches(name, (*_TOKENIZERS, *_BESIDE_TOKENIZER)):
            fetch_file(listing, name)


def cached_tokenizer(repository: str, revision: str | None = None) -> Path | None:
    """Return the cached folder with a repository's tokenizer, if there is one; without network.

    The cache names the folder by its commit.
    """
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(repository, name, revision=revision) for name in _TOKENIZERS)
    return next((Path(path).parent for path in found if isinstance(path, str)), None)


def weight_files(listing: Listing) -> list[str]:
    """Return the names of the weights: safetensors, else PyTorch's own (read safely).

    Raises:
        SondeError: there are neither.
    """
    for pattern in _WEIGHTS:
        found = sorted(name for name in listing.sizes if _matches(name, (pattern,)))
        if found:
            return found
    raise SondeError(
        f"The repository {listing.repository!r} holds no weights that sonde reads "
        "(model*.safetensors or pytorch_model*.bin).",
        fix=_other_formats(listing),
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Match files at the top of a repository; folders in it hold other formats of the same."""
    return "/" not in name and any(fnmatch(name, pattern) for pattern in patterns)


def _other_formats(listing: Listing) -> str:
    ggufs = sorted(name for name in listing.sizes if name.endswith(".gguf"))
    if ggufs:
        return f"It holds GGUF files, such as {ggufs[0]}: download one and give its path."
    return "Give a repository of a transformers model."


def _check_disk(listing: Listing, names: list[str]) -> None:
    from huggingface_hub import constants, try_to_load_from_cache

    missing = sum(
        listing.sizes[name]
        for name in names
        if not isinstance(
            try_to_load_from_cache(listing.repository, name, revision=listing.commit), str
        )
    )
    cache = Path(constants.HF_HUB_CACHE)
    there = next(path for path in [cache, *cache.parents] if path.exists())
    free = shutil.disk_usage(there).free
    if missing > free:
        raise SondeError(
            f"{listing.repository!r} needs {missing / GB:.1f} GB of disk, and {free / GB:.1f} GB "
            f"are free in {cache}.",
            fix="Free some space, or set HF_HOME to a folder on a larger disk.",
        )


def _translated(repository: str, revision: str | None) -> AbstractContextManager[None]:
    """Turn the hub's refusals into what the user can do about them."""
    return refusals_named(
        repr(repository), revision, kind="model", page=repository, alike=nearest_entry(repository)
    )


@contextmanager
def _network(repository: str) -> Generator[None]:
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError) as error:
        raise SondeError(
            f"Fetching {repository!r} from the hub failed: {_reason(error)}.",
            fix="Run the same command again: what was fetched is kept.",
        ) from error


def _status(error: Exception) -> str:
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    return f"status {code}" if code is not None else _reason(error)


def _reason(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.rstrip(".")
