"""Training curves in a real browser: the keyboard reaches held-out figures, keys hide lines."""

import json

import pytest
from chromium import drive

from sonde.report import Report, TrainingCurve, TrainingCurves, render
from sonde.stats.interval import Interval

HELD = Interval(0.4, 0.35, 0.45, n=9)
CURVES = TrainingCurves(
    (0, 10, 20),
    (
        TrainingCurve("all 64 latents", (1.0, 0.5, 0.3), HELD),
        TrainingCurve("the first 16", (1.0, 0.8, 0.7), HELD),
    ),
    TrainingCurve("L0", (8.0, 8.0, 8.0), Interval(7.5, 7.0, 8.0, n=9)),
    TrainingCurve("dead", (0.0, 0.1, 0.2)),
    batch=32,
    window=96,
)
SEE = """(tell) => {
  const [fvu, l0, dead] = document.querySelectorAll("[data-chart]");
  const tip = document.getElementById("tip");
  const press = (box, key) =>
    box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const shown = (of) =>
    [...document.querySelectorAll(of)].filter((one) => one.getClientRects().length);
  %s
}"""


@pytest.fixture(scope="module")
def page() -> str:
    return render(Report("t", "q", (CURVES,)))


def test_the_keyboard_walks_the_steps_to_the_held_out_figures(page):
    driver = (
        SEE
        % """
      const walked = [];
      for (const key of ["ArrowRight", "ArrowRight", "End"]) {
        press(fvu, key);
        walked.push(tip.innerText);
      }
      press(l0, "End"); walked.push(tip.innerText);
      press(dead, "End"); walked.push(tip.innerText);
      tell("walked", walked);
      const box = document.querySelector("[data-toggle=s1]");
      const before = shown("[data-series=s1]").length;
      box.click();
      tell("hidden", [before, shown("[data-series=s1]").length, shown("[data-series=s0]").length]);
    """
    )
    seen = drive(page, driver)
    assert json.loads(seen.told("seen")) == []
    first, second, held, active, dead = json.loads(seen.told("walked"))
    assert first.startswith("step 0") and "1.000" in first
    assert second.startswith("step 10") and ".500" in second and ".800" in second
    assert held.startswith("held-out rows") and ".400 [.350, .450]" in held
    assert active.startswith("held-out rows") and "7.5 [7.0, 8.0]" in active
    assert dead.startswith("step 20") and "20 %" in dead
    before, after, whole = json.loads(seen.told("hidden"))
    assert before == 1 and after == 0 and whole >= 1


@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_is_wider_than_the_page(page, width):
    seen = drive(
        page,
        "(tell) => tell('wide', document.documentElement.scrollWidth - innerWidth)",
        width=width,
    )
    assert json.loads(seen.told("wide")) <= 0
