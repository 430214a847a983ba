"""The browser of latents in a real browser: search, sort, the keyboard, tooltips, addresses."""

import json
from dataclasses import replace

import pytest
from chromium import drive

from sonde.report import LatentBrowser, Report, ShownLatent, ShownText, render

ATTACK = "<img src=x onerror=alert(1)>"
TEXT = ShownText(
    (" the", " cat", "\n", " sat", ATTACK), (0.0, 4.0, None, 1.0, 0.0), 1, 4.0, "largest", 3
)
FIRST = ShownLatent(
    12, 0.3, 2.0, 4.0, 0.5, 1.0, (5, 0, 2), (0.5, 0.7, 1.0, float("inf")), ((" cat", 1.0),),
    ((" dog", 2.5),), ((" fish", -1.0),), (TEXT,), block=1,
)  # fmt: skip
SECOND = replace(
    FIRST, number=7, rate=0.01, largest=9.0, specialisation=None, fires_on=(("Lisbon", 1.0),),
    texts=(replace(TEXT, pieces=(" in", " Lisbon", ".", " or", " so"), value=9.0),),
)  # fmt: skip
THIRD = ShownLatent(120, 0.0002, None, None, None, None)

SEE = """(tell) => {
  const root = document.querySelector("[data-latents]");
  const list = root.querySelector("[data-list]"), one = root.querySelector("[data-one]");
  const listed = () => [...list.children].map((each) => each.querySelector(".number").textContent);
  const title = () => one.querySelector("h3").textContent;
  const set = (name, value, event) => {
    const field = root.querySelector(`[data-${name}]`);
    field.value = value;
    field.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const press = (box, key) =>
    box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const texts = (box, of) => [...box.querySelectorAll(of)].map((each) => each.textContent);
  %s
}"""


@pytest.fixture(scope="module")
def page() -> str:
    return render(Report("t", "q", (LatentBrowser((FIRST, SECOND, THIRD)),)))


def test_latents_are_found_by_number_token_and_text_and_sorted(page):
    driver = (
        SEE
        % """
      tell("first", [listed(), title(), root.querySelector("[data-found]").textContent]);
      set("by", "largest", "change");
      tell("largest", [listed(), texts(list, ".value")]);
      root.querySelector("[data-turn]").click();
      tell("turned", listed());
      set("by", "number", "change");
      tell("number", listed());
      set("seek", "12", "input");
      tell("digits", listed());
      set("seek", "lisbon. or", "input");
      tell("words", [listed(), title(), root.querySelector("[data-found]").textContent]);
      set("seek", "no such", "input");
      tell("none", [listed(), root.querySelector("[data-found]").textContent]);
      set("seek", "", "input");
      tell("all", listed());
    """
    )
    seen = drive(page, driver)
    assert json.loads(seen.told("first")) == [["12", "7", "120"], "Latent 12 block 1", "3 of 3"]
    assert json.loads(seen.told("largest")) == [["7", "12", "120"], ["9", "4", "–"]]
    assert json.loads(seen.told("turned")) == ["12", "7", "120"], "what is not known stays last"
    assert json.loads(seen.told("number")) == ["7", "12", "120"]
    assert json.loads(seen.told("digits")) == ["12", "120"]
    assert json.loads(seen.told("words")) == [["7"], "Latent 7 block 1", "1 of 3"]
    assert json.loads(seen.told("none")) == [[], "0 of 3"]
    assert json.loads(seen.told("all")) == ["7", "12", "120"]
    assert json.loads(seen.told("seen")) == []


def test_a_latent_shows_its_texts_coloured_and_tells_of_tokens_and_bars(page):
    driver = (
        SEE
        % """
      const passage = one.querySelector(".tokens");
      tell("tokens", [...passage.querySelectorAll(".t")]
        .map((each) => [each.textContent, each.className]));
      tell("text", passage.textContent);
      tell("about", one.querySelector(".about").innerText.split("\\n"));
      passage.focus();
      press(passage, "ArrowRight"); press(passage, "ArrowRight");
      tell("tip", document.getElementById("tip").innerText.split("\\n"));
      press(passage, "ArrowRight");
      tell("unknown", document.getElementById("tip").innerText.split("\\n"));
      const bars = one.querySelector(".histogram");
      press(bars, "End");
      tell("bar", document.getElementById("tip").innerText.split("\\n"));
      tell("images", document.images.length);
      tell("lists", texts(one, ".about-it .words li"));
    """
    )
    seen = drive(page, driver)
    assert json.loads(seen.told("tokens")) == [
        [" the", "t b0"], ["cat", "t b10 read apart"], ["⏎", "t bx"], [" sat", "t b3"],
        [ATTACK.replace(" ", "·"), "t b0"],
    ]  # fmt: skip
    assert json.loads(seen.told("text")) == " the cat⏎ sat" + ATTACK.replace(" ", "·")
    assert json.loads(seen.told("about")) == ["4", "largest", "3 times"]
    assert json.loads(seen.told("tip")) == ['" cat"', "activation", "4.00"]
    assert json.loads(seen.told("unknown"))[-1] == "not known"
    assert json.loads(seen.told("bar")) == ["1 and above", "tokens", "2"]
    assert json.loads(seen.told("images")) == 0
    assert json.loads(seen.told("lists")) == ["·cat100 %", "·dog+2.5", "·fish−1.0"]
    assert json.loads(seen.told("seen")) == []


def test_keys_move_through_the_list_and_the_address_keeps_the_latent(page):
    driver = (
        SEE
        % """
      press(list, "ArrowDown");
      tell("down", [title(), location.hash, list.getAttribute("aria-activedescendant"),
        [...list.querySelectorAll("[aria-selected=true]")].length]);
      press(list, "End");
      tell("end", [title(), texts(one, ".texts li").length, texts(one, ".histogram").length]);
      press(list, "ArrowDown");
      tell("last", title());
      tell("labelled", [...root.querySelectorAll("input,select,button")]
        .filter((each) => !each.labels.length && !each.getAttribute("aria-label")).length);
    """
    )
    seen = drive(page, driver)
    assert json.loads(seen.told("down")) == ["Latent 7 block 1", "#latent=7", "latent-0-7", 1]
    assert json.loads(seen.told("end")) == ["Latent 120 ", 0, 0]
    assert json.loads(seen.told("last")) == "Latent 120 "
    assert json.loads(seen.told("labelled")) == 0
    seen = drive(page, SEE % 'tell("title", title());', fragment="#layer=3&latent=120")
    assert json.loads(seen.told("title")) == "Latent 120 "
    seen = drive(page, SEE % 'tell("title", title());', fragment="#latent=%3Cimg%3E")
    assert json.loads(seen.told("title")) == "Latent 12 block 1"
    assert json.loads(seen.told("seen")) == []


def test_a_narrow_page_is_no_wider_than_its_window(page):
    driver = SEE % 'tell("wide", [document.documentElement.scrollWidth, innerWidth]);'
    wide, window = json.loads(drive(page, driver, width=360).told("wide"))
    assert wide <= window
