"""A team's ledger: several `sonde run` at once record in one PostgreSQL server."""

import os
import subprocess
import sys

import pytest
from tests.postgresql import NoServer, postgresql

EXPERIMENT = """\
name: {name}
question: Can it be read?
model: {{name: "random:llama", check: false}}
stages:
  sentences: {{kind: data, path: data.csv, columns: {{prompt: said, label: mood, group: who}}}}
  acts: {{kind: extract, data: sentences, layers: [0]}}
  mood: {{kind: probe, activations: acts, labels: sentences, method: {{folds: 3, penalties: [1]}}}}
"""


@pytest.fixture
def url():
    try:
        with postgresql(durable=False) as server:
            # Trusted on loopback, so any password will do; it must not be shown.
            yield server.new_schema().replace("sonde@", "sonde:hush@")
    except NoServer as error:
        pytest.skip(str(error))


def start(*arguments, folder, url):
    return subprocess.Popen(
        [sys.executable, "-m", "sonde", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "140", "SONDE_LEDGER": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def test_two_experiments_at_once_are_recorded_in_one_server(tmp_path, url):
    rows = [
        f"r{n},I am {('glad', 'sad')[n % 2]} on day {n},{'gs'[n % 2]},w{n // 2}" for n in range(24)
    ]
    (tmp_path / "data.csv").write_text("\n".join(["id,said,mood,who", *rows]) + "\n")
    names = ("ann", "bob")
    for name in names:
        (tmp_path / f"{name}.yaml").write_text(EXPERIMENT.format(name=name))
    running = [
        start("run", f"{name}.yaml", "--out", name, folder=tmp_path, url=url) for name in names
    ]
    outputs = [said(process) for process in running]
    listed = said(start("ledger", "list", folder=tmp_path, url=url))
    for name, output in zip(names, outputs, strict=True):
        assert "Recorded as run" in output
        assert name in listed
        assert not (tmp_path / name / "ledger.sqlite").exists()
    assert listed.count("done") == 2
    shown = said(start("ledger", "show", "1", folder=tmp_path, url=url))
    assert "selected" in shown
    assert "hush" not in "".join((*outputs, listed, shown))
