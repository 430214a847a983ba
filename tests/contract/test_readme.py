"""What the README shows works: its experiment is valid, its Python runs, its links lead on."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from sonde.cli.app import app
from sonde.experiments.spec import read_specification

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")
)]  # fmt: skip


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readmes_experiment_is_valid(tmp_path):
    whole, stages = blocks("README.md", "yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(whole)
    spec = read_specification(path)
    assert spec.variants[0].order == ("statements", "acts", "truth", "report")
    assert list(spec.claims) == ["beyond_words"]
    path.write_text(f"name: mine\nmodel: gemma-2-2b\n{stages}")
    assert read_specification(path).variants[0].order == ("train", "check")


@pytest.mark.parametrize("page", PAGES)
def test_all_yaml_can_be_read(page):
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block)


def test_the_readmes_python_runs(capsys):
    """As it stands, but on a tiny model with random weights."""
    (block,) = blocks("README.md", "python")
    assert block.count('"smollm2-135m-instruct"') == 1
    names = {}
    exec(block.replace("smollm2-135m-instruct", "random:llama"), names)
    results = names["results"]
    assert len(results.layers) == names["model"].info.n_layers
    shown = f"{results.best_layer.hook} {results.selected} {results.baseline}"
    assert capsys.readouterr().out.strip() == shown


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_shown_exist(page):
    known = commands(typer.main.get_command(app), "sonde")
    for block in (*blocks(page, "sh"), *blocks(page, "")):
        for words in re.findall(r"^sonde ([a-z]+(?: [a-z]+)?)", block, re.MULTILINE):
            path = f"sonde {words}"
            assert path in known or path.rsplit(" ", 1)[0] in known, path


def commands(group, prefix: str) -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        inside = f"{prefix} {name}"
        found |= commands(command, inside) if hasattr(command, "commands") else {inside}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert ((ROOT / page).parent / target).exists(), target
