"""A run of finished work is quick, because it imports nothing that it does not need."""

import subprocess
import sys

EXPERIMENT = """\
name: small
model: {name: random:llama, check: false}
stages:
  sentences: {kind: data, path: sentences.csv}
  acts: {kind: extract, data: sentences, layers: [0, 1], template: none}
  truth:
    kind: probe
    activations: acts
    labels: sentences
    method: {kind: mean_difference, folds: 3, resamples: 20, shuffles: 1}
  page: {kind: report}
"""
SLOW = (
    "torch",
    "transformers",
    "sqlalchemy",
    "scipy",
    "sklearn",
    "pyarrow",
    "matplotlib",
    "jinja2",
)


def sonde(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command, and print which slow libraries it has imported."""
    script = (
        "import sys; from sonde.cli.main import _run\n"
        f"code = _run({list(arguments)!r})\n"
        f"print([name for name in {SLOW!r} if name in sys.modules]); sys.exit(code)"
    )
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_finished_work_is_not_done_again_and_imports_nothing_slow(tmp_path):
    rows = [f"i{one},Number {one} was {['good', 'bad'][one % 2]},{one % 2}" for one in range(24)]
    (tmp_path / "sentences.csv").write_text("\n".join(["id,text,label", *rows]) + "\n")
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    first = sonde(tmp_path, "run", "experiment.yaml")
    assert first.returncode == 0, first.stderr
    again = sonde(tmp_path, "run", "experiment.yaml")
    assert again.returncode == 0, again.stderr
    lines = again.stdout.strip().split("\n")
    assert lines[-1] == "[]"
    assert "Everything was done already; nothing was run again." in lines

    log = sonde(tmp_path, "log", "experiment.yaml")
    assert log.returncode == 0, log.stderr
    assert "runs/small/log.md: 1 run, 0 of your own remarks kept." in log.stdout
    text = (tmp_path / "runs" / "small" / "log.md").read_text()
    assert "### `truth`" in text
    assert "| `selected` |" in text
    assert "shuffled labels" in text
    assert "**Run 1** did " in text
    where = ["--to", "notes.md", "--ledger", "runs/ledger.sqlite"]
    assert sonde(tmp_path, "log", "experiment.yaml", *where).returncode == 0
    assert (tmp_path / "notes.md").read_text() == text
    assert sonde(tmp_path, "verify", "runs").returncode == 0
    assert "small" in sonde(tmp_path, "show", "runs").stdout
