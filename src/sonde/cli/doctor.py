"""``sonde doctor``."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import typer

from sonde.cli.console import bytes_in_words, console, heading, mark, say, table
from sonde.core.errors import SondeError
from sonde.core.folders import cache_folder
from sonde.experiments.hardware import describe_machine, package_versions


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    passed: bool
    detail: str


def check_health(model: str | None) -> None:
    """Print what was found; exit with 1 if anything failed."""
    heading("Installation")
    say(", ".join(f"{name} {version}" for name, version in package_versions().items()))
    heading("Hardware")
    say(", ".join(f"{name} {_words(name, value)}" for name, value in describe_machine().items()))
    findings = [_python(), _torch(), _cache(), _embedded()]
    heading("Checks")
    _print(findings)
    if model is not None:
        findings += _model(model)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        console.print(f"  {mark(finding.passed)}  ", end="")
        say(f"{finding.name}: {finding.detail}")


def _words(name: str, value: object) -> str:
    if name == "memory" and isinstance(value, int):
        return bytes_in_words(value)
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value))) or "none"
    return str(value)


def _python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), f"{sys.version.split()[0]}")


def _torch() -> Finding:
    def product() -> str:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        square = torch.eye(64, device=device)
        assert bool((square @ square == square).all())
        return f"{torch.__version__} computes on {device}"

    return _tried("PyTorch", product)


def _cache() -> Finding:
    def write() -> str:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor.{os.getpid()}"
        probe.write_text("ok")
        probe.unlink()
        free = shutil.disk_usage(folder).free
        return f"{folder} is writable, {bytes_in_words(free)} free"

    return _tried("Cache folder", write)


def _embedded() -> Finding:
    from sonde.models import embedded

    folder = cache_folder() / "models" / f"{embedded.NAME}-{embedded.FINGERPRINT}"
    there = "is in the cache" if folder.is_dir() else "will be fetched on first use (98 MB)"
    return Finding("Embedded model", True, f"{embedded.NAME} {there}")


def _tried(name: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, work())
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _model(name: str) -> list[Finding]:
    """Run the self-check of a model and print it as a table."""
    from sonde.models import load
    from sonde.models.self_check import self_check

    heading(f"Model {name}")
    try:
        model = load(name, check=False)
    except SondeError as error:
        found = [Finding("Loading", False, str(error))]
        _print(found)
        return found
    info = model.info
    say(
        f"{info.family}, {info.n_layers} layers, d_model {info.d_model}, "
        f"{info.n_parameters / 1e6:,.1f} M weights, {info.dtype} on {model.device}"
    )
    checks = self_check(model, fresh=True).checks
    table(
        ("check", "", "what was found"),
        [(check.name, "ok" if check.passed else "FAILED", check.detail) for check in checks],
    )
    found = [Finding(check.name, check.passed, check.detail) for check in checks]
    good = sum(finding.passed for finding in found)
    console.print(f"{mark(good == len(found))}: {good} of {len(found)} checks passed")
    return found
