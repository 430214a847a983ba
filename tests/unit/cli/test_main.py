import ast
import subprocess
import sys

import pytest
import typer

from sonde.cli.app import app
from sonde.cli.main import main
from sonde.core.errors import SondeError

HEAVY = ("torch", "transformers", "sqlalchemy", "pydantic", "numpy", "scipy")


def python(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


def with_run(monkeypatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("sonde.cli.run.run_experiment", fail)


# Typer itself takes pydantic for the paths and numbers of a command's own options.
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [(["--help"], []), (["run", "--help"], ["pydantic"]), (["ledger", "--help"], ["pydantic"])],
)
def test_help_imports_nothing_heavy(arguments, allowed):
    script = (
        "import sys; from sonde.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as leaving: assert leaving.code == 0, leaving.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    found = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    assert set(found) <= set(allowed)


def test_importing_sonde_imports_nothing_heavy():
    script = f"import sys, sonde; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_users_mistake_ends_with_2_and_two_lines(monkeypatch, capsys):
    with_run(monkeypatch, SondeError("The key is wrong.", fix="Write another."))
    assert run("run", "x.yaml") == 2
    assert capsys.readouterr().err == "Error: The key is wrong.\nWrite another.\n"


def test_a_fault_ends_with_1_a_traceback_and_a_hint(monkeypatch, capsys):
    with_run(monkeypatch, RuntimeError("broken inside"))
    assert run("run", "x.yaml") == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "broken inside" in said
    assert "sonde doctor" in said


def test_ctrl_c_says_what_is_kept(monkeypatch, capsys):
    with_run(monkeypatch, KeyboardInterrupt())
    assert run("run", "x.yaml") == 130
    assert "kept" in capsys.readouterr().err


def test_an_unknown_command_is_a_mistake(capsys):
    assert run("rnu") == 2
    assert "rnu" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("sonde ")


def test_every_command_says_what_it_does():
    commands = typer.main.get_command(app).commands
    assert list(commands) == [
        "demo", "run", "plan", "doctor", "models", "show", "export", "convert", "verify",
        "agreement", "log", "ledger",
    ]  # fmt: skip
    for command in [*commands.values(), *commands["ledger"].commands.values()]:
        assert command.help
        assert all(getattr(option, "help", "x") for option in command.params)
