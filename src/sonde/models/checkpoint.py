"""Model folders as transformers saves them: configuration, weights, tokenizer, fingerprint."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, read_json, sha256_file

WHOLE = 64 << 20  # files up to this size are hashed whole
SAMPLES, SAMPLE = 64, 1 << 16  # of larger ones, so many pieces of so many bytes
_NOISY = 2_000_000_000  # below this many bytes loading is over before a progress bar helps


def config_from_keys(keys: dict[str, Any], where: str) -> Any:
    """Build a transformers configuration from the keys of a ``config.json``.

    Raises:
        SondeError: the architecture is not known, or a value is not valid.
    """
    from transformers import CONFIG_MAPPING

    kind = keys.get("model_type", "")
    if kind not in CONFIG_MAPPING:
        raise SondeError(
            f"{where} is a model of the type {kind!r}, which this transformers does not know.",
            fix=_remote_fix(keys) or "A newer transformers may know it.",
        )
    try:
        return CONFIG_MAPPING[kind].from_dict(dict(keys))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SondeError(f"The configuration of {where} is not valid: {error}.") from error


def config_from_file(path: Path) -> Any:
    """Build a transformers configuration from a ``config.json``."""
    return config_from_keys(read_json(path), str(path))


def config_from_folder(folder: Path, remote_code: bool) -> Any:
    """Read a folder's configuration; with ``remote_code`` by its own code where it brings some.

    Raises:
        SondeError: it needs code of its own and that was not allowed, or it is not valid.
    """
    keys = read_json(folder / "config.json")
    if not needs_remote_code(keys):
        return config_from_keys(keys, str(folder))
    if not remote_code:
        raise SondeError(
            f"{folder} is a model of the type {keys.get('model_type')!r}, which transformers does "
            f"not know: it brings Python code of its own ({', '.join(sorted(_modules(keys)))}).",
            fix=_remote_fix(keys),
        )
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=True, local_files_only=True)


def needs_remote_code(keys: dict[str, Any]) -> bool:
    """Say whether a model cannot be loaded without running code from its repository."""
    from transformers import CONFIG_MAPPING

    return bool(keys.get("auto_map")) and keys.get("model_type") not in CONFIG_MAPPING


def _modules(keys: dict[str, Any]) -> set[str]:
    named = (str(value) for value in keys.get("auto_map", {}).values())
    return {name.split("--")[-1].split(".")[0] + ".py" for name in named}


def _remote_fix(keys: dict[str, Any]) -> str:
    if not keys.get("auto_map"):
        return ""
    return (
        "remote_code=True would run that code here, with your rights: read it first, and name the "
        "commit you read as revision."
    )


def skeleton(config: Any) -> Any:
    """Build the model of a configuration without storage for its weights.

    Raises:
        SondeError: transformers has no language model for this configuration.
    """
    return build_empty(config, dtype=torch.float32, device=torch.device("meta"))


def build_empty(config: Any, *, dtype: torch.dtype, device: torch.device) -> Any:
    """Build the model of a configuration with weights that are not yet set, only tied.

    Raises:
        SondeError: transformers has no language model for this configuration.
    """
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    try:
        with device, no_init_weights():
            hf = AutoModelForCausalLM.from_config(config, dtype=dtype)
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise
        raise SondeError(
            f"transformers has no language model of the type {config.model_type!r}.",
            fix="sonde reads models that predict the next token.",
        ) from None
    hf.tie_weights()
    return hf


def load_weights(folder: Path, placement: dict[str, Any], n_bytes: int, remote_code: bool) -> Any:
    """Load a folder's weights as transformers does, and refuse what it would fill with noise.

    ``placement`` holds transformers' own arguments: dtype, device_map, quantization_config.

    Raises:
        SondeError: a file cannot be read, or weights are missing or of another shape.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        with quietly(progress=n_bytes >= _NOISY):
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=remote_code,
                weights_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below, in words
                **placement,
            )
    except SafetensorError as error:
        raise SondeError(
            f"A weights file in {folder} cannot be read: {error}.",
            fix="It may be cut short; fetch it again.",
        ) from error
    except OSError as error:
        raise SondeError(
            f"{folder} could not be loaded: {_first_line(error)}",
            fix="A model folder holds config.json and model.safetensors (or its numbered parts "
            "with their index).",
        ) from error
    hf, report = loaded
    _refuse_noise(folder, report)
    return hf


def _refuse_noise(folder: Path, report: dict[str, Any]) -> None:
    """Transformers gives missing weights random values with a mere warning; here it is an error."""
    for kind, names in (
        ("lacks", report.get("missing_keys", ())),
        ("has other shapes for", report.get("mismatched_keys", ())),
    ):
        found = sorted(str(name[0] if isinstance(name, tuple) else name) for name in names)
        if found:
            raise SondeError(
                f"{folder} {kind} {len(found)} of the model's weights, such as {found[0]}; they "
                "would have been random.",
                fix="Check that config.json and the weights belong together and are complete.",
            )


def load_tokenizer(folder: Path, remote_code: bool) -> Any:
    """Load a folder's tokenizer.

    Raises:
        SondeError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    files = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")
    if not any((folder / name).is_file() for name in files):
        raise SondeError(
            f"{folder} holds no tokenizer.",
            fix=f"Put the model's tokenizer files there ({', '.join(files[:3])}).",
        )
    try:
        return AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=remote_code
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise SondeError(
            f"The tokenizer in {folder} cannot be read: {_first_line(error)}",
            fix="Put all of the model's tokenizer files there.",
        ) from error


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if line.endswith(".") else f"{line}."


def fingerprint_folder(folder: Path) -> str:
    """Return 16 hex digits that name what a folder computes: configuration, tokenizer, weights.

    Files up to 64 MB are hashed whole. Hashing tens of gigabytes would take longer than loading
    them, so of larger ones the size, the safetensors header (every tensor's name, shape and place)
    and 64 pieces of 64 kB spread evenly are hashed: training changes every weight, so any two
    trained models differ there; an edit by hand of a few values may not.
    """
    names = ("config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json")
    files = [folder / name for name in (*names, "vocab.json", "merges.txt")]
    weights = sorted([*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin")])
    present = [path for path in [*files, *weights] if path.is_file()]
    return fingerprint([[path.name, digest(path)] for path in present])


def digest(path: Path) -> str:
    """Return a SHA-256 of a file: of the whole, or of the sampled pieces where it is large."""
    size = path.stat().st_size
    if size <= WHOLE:
        return sha256_file(path)
    seen = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            seen.update(file.read(8 + int.from_bytes(file.read(8), "little")))
        for piece in range(SAMPLES):
            file.seek((size - SAMPLE) * piece // (SAMPLES - 1))
            seen.update(file.read(SAMPLE))
    return seen.hexdigest()


def read_tensor(folder: Path, suffix: str) -> torch.Tensor:
    """Read the one tensor whose name ends in ``suffix`` from a folder's safetensors.

    Raises:
        SondeError: there is none, or more than one.
    """
    from safetensors import safe_open

    found: list[tuple[Path, str]] = []
    for path in sorted(folder.glob("model*.safetensors")):
        with safe_open(path, "pt") as file:
            found += [(path, name) for name in file.keys() if name.endswith(suffix)]  # noqa: SIM118
    if len(found) != 1:
        raise SondeError(
            f"{folder} holds {len(found) or 'no'} tensors named …{suffix} in safetensors files, "
            "and one is needed.",
            fix="Use a model folder with safetensors weights.",
        )
    path, name = found[0]
    with safe_open(path, "pt") as file:
        return file.get_tensor(name)


@contextmanager
def quietly(progress: bool) -> Generator[None]:
    """Hide transformers' warnings for the time of the block, and its progress bars unless asked.

    What it warns of while loading, weights that are missing or do not match, is an error here.
    """
    from transformers.utils import logging

    before, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    (logging.enable_progress_bar if progress and before else logging.disable_progress_bar)()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
