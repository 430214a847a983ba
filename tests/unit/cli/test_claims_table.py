from dataclasses import replace

import pytest

from sonde.cli.claims import print_claims
from sonde.experiments.claims.judged import Judged
from sonde.ledger.records import Registration, Verdict
from sonde.stats.interval import Interval

CONTENT = {
    "statement": "s", "kind": "superiority", "mode": "confirmatory", "by": 0.05, "level": 0.95,
    "of": "news.selected", "over": 0.5,
}  # fmt: skip
REGISTRATION = Registration(
    1, "e", "readable", "h", "2026-01-02T03:04:05", CONTENT, "s", False, None
)
VERDICT = Verdict(
    1, "", "inconclusive", "s", Interval(0.06, -0.01, 0.13, 180), 0.05, 0.21, 0.42, "paired", 180,
    "It reaches across.", "About 620 units in place of 180 would decide.", "i", False,
)  # fmt: skip


@pytest.fixture
def shown(capsys):
    def show(**changes) -> str:
        registration = replace(REGISTRATION, replaces=changes.pop("replaces", None))
        changed = changes.pop("spec_changed", False)
        print_claims([Judged(registration, replace(VERDICT, **changes), changed)])
        return capsys.readouterr().out

    return show


def test_the_table_has_the_numbers_and_the_advice_comes_after(shown):
    text = shown()
    row = next(line for line in text.splitlines() if "confirmatory" in line)
    for part in ("readable", "inconclusive", "+0.060 [−0.010, +0.130]", "0.05", "180", "0.420"):
        assert part in row
    assert text.index("It reaches across.") < text.index("About 620 units in place of 180")


def test_a_post_hoc_claim_is_never_called_confirmatory(shown):
    text = shown(post_hoc=True, replaces=7)
    assert "confirmatory" not in text
    assert "Post hoc: it was registered when results existed." in text
    assert "replaces an earlier claim" in text


def test_without_an_effect_there_are_dashes(shown):
    text = shown(effect=None, p=None, p_adjusted=None, n=0, variant="seed=1", spec_changed=True)
    assert "readable [seed=1]" in text
    assert "settings changed" in text


def test_no_claims_no_table(capsys):
    print_claims([])
    assert capsys.readouterr().out == ""
