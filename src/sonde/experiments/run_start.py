"""What is known of a run when it begins: the file, its commit, the versions, the machine."""

import subprocess
from pathlib import Path

from sonde.core.files import fingerprint
from sonde.experiments.hardware import describe_machine, package_versions
from sonde.experiments.spec import Planned, Specification
from sonde.ledger.records import RunStart


def run_start(spec: Specification, planned: Planned, folder: Path) -> RunStart:
    """Return what the ledger is told of a variant whose results will lie in a folder."""
    experiment = planned.experiment
    resolved = experiment.model_dump(mode="json")
    commit, dirty = commit_of(spec.base)
    return RunStart(
        name=experiment.name,
        variant=planned.label,
        question=experiment.question,
        seed=experiment.seed,
        spec_path=str(spec.path),
        spec_text=spec.text,
        overrides=spec.overrides,
        resolved=resolved,
        spec_hash=fingerprint(resolved),
        folder=str(folder),
        commit_hash=commit,
        dirty=dirty,
        versions=package_versions(),
        hardware=describe_machine(),
        purpose=experiment.purpose,
    )


def commit_of(folder: Path) -> tuple[str | None, bool | None]:
    """Return the git commit that a folder is at and whether it has changes; None outside git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit.strip(), bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    return done.stdout
