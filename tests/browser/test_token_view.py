"""The token view in a real browser: the threshold, right and wrong, and the keyboard."""

import json
from dataclasses import replace

import pytest
from chromium import drive

from sonde.report import Report, TokenText, TokenView, render

TRUTH = (None, True, False, True, False)
TEXT = TokenText(
    ("a", " b", " c", " d", "\n"), (1, 2, 3, 4, 5), ((0.1, 0.9, 0.7, 0.4, 0.2), (None,) * 5),
    truth=TRUTH, name="one",
)  # fmt: skip
VIEW = TokenView((4, 9), (TEXT, replace(TEXT, name="two")), start=4, truth_says="<b>next</b>")

SEE = """(tell) => {
  const root = document.querySelector("[data-viewer]");
  const styles = () => [...root.querySelectorAll("[data-text='1'] .t")]
    .map((each) => each.className);
  const counts = () => Object.fromEntries([...root.querySelectorAll("[data-count]")]
    .map((each) => [each.dataset.count, each.textContent]));
  const slide = (to) => {
    const range = root.querySelector("[data-threshold]");
    range.value = to;
    for (const name of ["input", "change"]) range.dispatchEvent(new Event(name, { bubbles: true }));
  };
  %s
}"""


@pytest.fixture(scope="module")
def page() -> str:
    return render(Report("t", "q", (VIEW,)))


def test_right_and_wrong_follow_the_threshold_and_are_counted(page):
    driver = (
        SEE
        % """
      root.querySelector(".modes input[value=confusion]").click();
      tell("first", [styles(), counts(), root.querySelector("[data-rates]").textContent]);
      slide(0.75);
      root.querySelector('[data-choose="1"]').click();
      tell("second", [styles(), counts(), location.hash]);
      tell("said", root.querySelector("[data-text='1'] .said").textContent);
      tell("legends", [...root.querySelectorAll("[data-legend]")].map((each) => each.hidden));
    """
    )
    seen = drive(page, driver)
    styles, counts, rates = json.loads(seen.told("first"))
    assert styles == ["t untold", "t tp up", "t fp up", "t fn", "t tn"]
    assert counts == {"tp": "2", "fp": "2", "fn": "2", "tn": "2"}, "of both texts"
    assert rates.startswith("recall .50, precision .50, balanced accuracy .50")
    styles, counts, address = json.loads(seen.told("second"))
    assert styles == ["t untold", "t tp up", "t tn", "t fn", "t tn"]
    assert counts == {"tp": "1", "fp": "0", "fn": "1", "tn": "2"}, "of the text shown"
    assert address == "#layer=4&text=1&threshold=0.75&colours=confusion"
    assert json.loads(seen.told("said")) == "1 of 2 found, 0 false alarms"
    assert json.loads(seen.told("legends")) == [True, False]
    assert json.loads(seen.told("seen")) == []


def test_the_threshold_moves_the_middle_of_the_colours(page):
    driver = (
        SEE
        % """
      tell("before", styles());
      slide(0.9);
      tell("after", [styles(), root.querySelector("[data-threshold-out]").textContent]);
    """
    )
    seen = drive(page, driver)
    assert json.loads(seen.told("before")) == ["t b-8", "t b8 up", "t b4 up", "t b-2", "t b-6"]
    styles, out = json.loads(seen.told("after"))
    assert styles == ["t b-9", "t b0 up", "t b-2", "t b-6", "t b-8"]
    assert out == ".900"


def test_an_address_opens_the_view_and_a_hostile_one_does_nothing(page):
    driver = SEE % 'tell("mode", [root.querySelector(".modes :checked").value, counts()]);'
    seen = drive(page, driver, fragment="#layer=4&threshold=0.3&colours=confusion")
    assert json.loads(seen.told("mode")) == [
        "confusion", {"tp": "4", "fp": "2", "fn": "0", "tn": "2"},
    ]  # fmt: skip
    seen = drive(page, driver, fragment="#threshold=%3Cimg%3E&colours=__proto__")
    assert json.loads(seen.told("mode"))[0] == "score"
    assert json.loads(seen.told("seen")) == []


def test_the_tip_says_truth_and_verdict_and_keys_reach_it(page):
    driver = (
        SEE
        % """
      const passage = root.querySelector("[data-text='1'] .tokens");
      passage.focus();
      for (let press = 0; press < 3; press += 1) {
        passage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
      }
      tell("tip", document.getElementById("tip").innerText.split("\\n"));
      tell("labelled", [...root.querySelectorAll("input")]
        .filter((each) => !each.labels.length && !each.getAttribute("aria-label")).length);
    """
    )
    seen = drive(page, driver)
    tip = json.loads(seen.told("tip"))
    assert '" c"' in tip and ".700" in tip and "<b>next</b>" in tip and "false positive" in tip
    assert json.loads(seen.told("labelled")) == 0


def test_a_layer_without_scores_counts_nothing(page):
    driver = (
        SEE
        % """
      root.querySelector(".modes input[value=confusion]").click();
      tell("nothing", [styles(), counts(), root.querySelector("[data-rates]").textContent]);
    """
    )
    styles, counts, rates = json.loads(drive(page, driver, fragment="#layer=9").told("nothing"))
    assert set(styles) == {"t untold"}
    assert set(counts.values()) == {"0"}
    assert rates.startswith("recall –, precision –, balanced accuracy –")
