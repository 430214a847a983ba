import json

from bench.trust.figure import Figure
from bench.trust.page import PAGE, PARTS, entry, keep, page, read


def test_the_page_is_what_the_kept_figures_say():
    """Run `python -m bench trust --page` where this fails."""
    assert PAGE.read_text(encoding="utf-8") == page(read())


def test_every_part_is_on_the_page_with_its_command():
    text = PAGE.read_text(encoding="utf-8")
    for part in PARTS:
        assert f"`python -m bench trust {part}`" in text


def test_a_figure_that_misses_is_said_at_the_top(tmp_path):
    kept = tmp_path / "trust.json"
    good = Figure("", "one thing", "at most 2", "1", True)
    bad = Figure("", "another", "at most 2", "3", False)
    shown = Figure("", "a third", "", "7", True)
    keep("speed", entry("a command", "a machine", 59.6, [good, bad, shown]), kept)
    text = page(read(kept))
    head, body = text.split("## ", 1)
    assert "- speed: another: 3 (target: at most 2)" in head
    assert "- coverage: not measured" in head
    assert "one thing" not in head
    assert "| one thing | 1 | at most 2 | yes |" in body
    assert "| another | 3 | at most 2 | **no** |" in body
    assert "| a third | 7 |  |  |" in body
    assert "Made by `a command` in 1 min on a machine." in body


def test_a_part_replaces_its_own_figures_alone(tmp_path):
    kept = tmp_path / "trust.json"
    for figure in ("1", "2"):
        made = [Figure("", "a thing", "", figure, True)]
        keep("speed", entry("c", "m", 1.0, made), kept)
        keep("coverage", entry("c", "m", 120.0, made), kept)
    stored = json.loads(kept.read_text())
    assert list(stored) == ["coverage", "speed"]  # in the page's order
    assert [one["figures"][0]["figure"] for one in stored.values()] == ["2", "2"]
    assert "in 2 min on m" in page(stored)
