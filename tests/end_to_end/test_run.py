"""`sonde` as a user runs it: a process of its own, from any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = """\
name: mine
question: Can it be read?
model: {name: "random:llama", check: false}
stages:
  sentences: {kind: data, path: data.csv, columns: {prompt: said, label: mood, group: who}}
  acts: {kind: extract, data: sentences, layers: auto}
  mood: {kind: probe, activations: acts, labels: sentences, method: {folds: 3, penalties: [1, 10]}}
  page: {kind: report}
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    rows = ["id,said,mood,who"]
    for number in range(40):
        word = ("glad", "sad")[number % 2]
        rows.append(f"r{number},I am {word} about number {number},{word},w{number // 2}")
    (folder / "data.csv").write_text("\n".join(rows) + "\n")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    return folder


def sonde(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120"}
    environment.pop("SONDE_LEDGER", None)
    command = [sys.executable, "-m", "sonde", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_whole_way_from_a_file_to_a_report(mine, tmp_path):
    spec = str(mine / "experiment.yaml")
    out = str(tmp_path / "results")

    planned = sonde("plan", spec, "--out", out, "--hardware", "h100", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "Every input is there." in planned.stdout
    assert not Path(out).exists()

    first = sonde("run", spec, "--out", out, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "shuffled labels" in first.stdout
    assert "bag of tokens" in first.stdout
    assert "40 of 40 labels joined" in first.stdout
    assert first.stderr == ""  # no library's bars or warnings
    (took,) = [line for line in first.stdout.splitlines() if line.startswith("Took ")]
    assert took.count("(planned ") == 3  # time, memory, disk
    assert (Path(out) / "mine" / "metrics" / "1.jsonl").is_file()

    # From another folder, with a relative path: the same results are found.
    again = sonde("run", "experiment.yaml", "--out", out, folder=mine)
    assert "Everything was done already" in again.stdout
    assert again.stdout.count("done already") == 5

    listed = sonde("ledger", "list", "--out", out, folder=tmp_path)
    assert "mine" in listed.stdout
    assert "done" in listed.stdout
    shown = sonde("ledger", "show", "1", "--out", out, folder=tmp_path)
    assert "Can it be read?" in shown.stdout
    assert "kind: data, path: data.csv" in shown.stdout
    assert "selected" in shown.stdout

    results = Path(out) / "mine"
    assert "mood: logistic probe" in sonde("show", str(results), folder=tmp_path).stdout
    probe = min(results.glob("mood/*/probe/probes/*.safetensors"))
    assert "logistic probe of blocks.0" in sonde("show", str(probe), folder=tmp_path).stdout
    assert sonde("verify", str(results), folder=tmp_path).returncode == 0

    shard = next(results.glob("acts/*/activations/blocks.*/*"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    broken = sonde("verify", str(results), folder=tmp_path)
    assert broken.returncode == 1
    assert shard.name in broken.stdout


def test_a_mistake_is_said_without_a_traceback(mine, tmp_path):
    spec = str(mine / "experiment.yaml")
    found = sonde("run", spec, "--set", "acts.layrs=all", folder=tmp_path)
    assert found.returncode == 2
    assert "Error: " in found.stderr
    assert "Did you mean 'layers'?" in found.stderr
    assert "Traceback" not in found.stderr
    missing = sonde("run", spec, "--set", "sentences.columns.label=moood", folder=tmp_path)
    assert missing.returncode == 2
    assert "Did you mean 'mood'?" in missing.stderr
