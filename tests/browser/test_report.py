"""The report in a real browser: the slider, tooltips, keys, phones, and hostile data."""

import json
import re
from dataclasses import replace

import pytest
from chromium import drive
from realistic import LAYERS, realistic

from sonde.report import Report, TokenView, render

REPORT = realistic()


@pytest.fixture(scope="module")
def page() -> str:
    return render(REPORT)


def view_of(report: Report) -> TokenView:
    return next(item for item in report.sections if isinstance(item, TokenView))


def started_at(report: Report, layer: int) -> Report:
    sections = tuple(
        replace(item, start=layer) if isinstance(item, TokenView) else item
        for item in report.sections
    )
    return replace(report, sections=sections)


def token_styles(html: str) -> list[list[str]]:
    found = re.findall(r'<span class="(t [^"]*)">', html)
    return [sorted(style.split()) for style in found if style not in ("t up b3", "t read")]


def test_opens_without_an_error_or_a_blocked_load(page):
    assert json.loads(drive(page).told("seen")) == []


def test_the_address_chooses_layer_and_text(page):
    driver = """(tell) => {
      tell("layer", [...document.querySelectorAll("[data-layer]")].map((each) => each.textContent));
      tell("shown", [...document.querySelectorAll("[data-text]")]
        .filter((each) => each.getClientRects().length).map((each) => each.dataset.text));
      tell("slider", document.querySelector("input[type=range]").value);
    }"""
    seen = drive(page, driver, fragment="#layer=12&text=3")
    assert set(json.loads(seen.told("layer"))) == {"12"}
    assert json.loads(seen.told("shown")) == ["3"]
    assert json.loads(seen.told("slider")) == "12"


def test_a_hostile_address_changes_nothing(page):
    fragment = "#layer=%3Cimg%20src%3Dx%3E&text=%22%5D%2C*"
    seen = drive(page, fragment=fragment)
    assert json.loads(seen.told("seen")) == []
    assert f'<b data-layer="">{view_of(REPORT).start}</b>' in seen.html


@pytest.mark.parametrize("layer", [0, 12, 29])
def test_the_browser_colours_as_the_server_does(page, layer):
    """Moving the slider gives the very classes that the server writes for that layer."""
    moved = drive(page, fragment=f"#layer={layer}")
    served = render(started_at(REPORT, layer))
    assert token_styles(moved.html) == token_styles(served)
    readings = [re.findall(r'<span class="said">([^<]*)', html) for html in (moved.html, served)]
    assert readings[0] == readings[1]


def test_shades_are_coloured_alike_too():
    view = view_of(REPORT)
    shaded = tuple(
        replace(
            text,
            shades=tuple(
                tuple(None if one is None else 2 * one - 1 for one in row) for row in text.scores
            ),
        )
        for text in view.texts
    )
    view = replace(view, texts=shaded, shade="middle: the median token")
    report = replace(REPORT, sections=(view,))
    moved = drive(render(report), fragment="#layer=5")
    assert token_styles(moved.html) == token_styles(render(started_at(report, 5)))
    assert json.loads(moved.told("seen")) == []


def test_the_slider_and_the_list_of_texts_write_the_address(page):
    driver = """(tell) => {
      const range = document.querySelector("input[type=range]");
      range.value = 4;
      range.dispatchEvent(new Event("input", { bubbles: true }));
      range.dispatchEvent(new Event("change", { bubbles: true }));
      document.querySelector('[data-choose="2"]').click();
      tell("hash", location.hash);
      tell("pressed", document.querySelector("[aria-pressed=true]").dataset.choose);
    }"""
    seen = drive(page, driver)
    assert json.loads(seen.told("hash")) == "#layer=4&text=2"
    assert json.loads(seen.told("pressed")) == "2"
    assert json.loads(seen.told("seen")) == []


def test_a_token_tells_its_text_id_probability_and_layer(page):
    view = view_of(REPORT)
    text, at = view.texts[0], 5
    driver = f"""(tell) => {{
      const token = document.querySelectorAll("[data-text='1'] .t")[{at}];
      token.dispatchEvent(new PointerEvent("pointerover", {{ bubbles: true }}));
      tell("tip", document.getElementById("tip").innerText);
      tell("hidden", document.getElementById("tip").hidden);
    }}"""
    seen = drive(page, driver, fragment="#layer=9")
    tip = json.loads(seen.told("tip"))
    assert json.loads(seen.told("hidden")) is False
    assert json.dumps(text.tokens[at], ensure_ascii=False) in tip
    assert str(text.ids[at]) in tip
    assert f"{text.scores[9][at]:.3f}".removeprefix("0") in tip
    assert "block 9" in tip


def test_arrow_keys_move_through_tokens_and_layers(page):
    driver = """(tell) => {
      const press = (on, key) =>
        on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      const passage = document.querySelector("[data-text='1'] .tokens");
      press(passage, "ArrowRight"); press(passage, "ArrowRight");
      tell("at", [...passage.children].findIndex((each) => each.classList.contains("at")));
      const plot = document.querySelector(".curves [data-chart]");
      press(plot, "ArrowRight"); press(plot, "ArrowRight"); press(plot, "ArrowRight");
      tell("tip", document.getElementById("tip").innerText);
      press(plot, "Enter");
      tell("layer", document.querySelector("[data-layer]").textContent);
    }"""
    seen = drive(page, driver)
    assert json.loads(seen.told("at")) == 1
    tip = json.loads(seen.told("tip"))
    assert tip.startswith("block 2")
    assert "ridge" in tip and "shuffled labels" in tip and "bag of tokens" in tip
    assert json.loads(seen.told("layer")) == "2", "Enter shows the texts at the layer pointed at"


def test_a_probe_switched_off_leaves_the_chart_and_its_tooltip(page):
    driver = """(tell) => {
      document.querySelector("[data-toggle=s0]").click();
      const shown = (name) => document.querySelector(`.wide g.series[data-series=${name}]`)
        .getClientRects().length > 0;
      tell("shown", [shown("s0"), shown("s1")]);
      const plot = document.querySelector(".curves [data-chart]");
      plot.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
      tell("tip", document.getElementById("tip").innerText);
    }"""
    seen = drive(page, driver)
    assert json.loads(seen.told("shown")) == [False, True]
    assert "ridge" not in json.loads(seen.told("tip"))
    assert "logistic" in json.loads(seen.told("tip"))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    driver = """(tell) => {
      document.querySelectorAll("details").forEach((each) => { each.open = true; });
      const page = document.documentElement;
      tell("width", innerWidth);
      tell("over", [page.scrollWidth - page.clientWidth,
        [...document.querySelectorAll("main *")]
          .filter((each) => !each.closest("svg, .snippet, .scroll > *")
          && each.getBoundingClientRect().right > page.clientWidth + 1)
          .map((each) => each.tagName + "." + each.className).slice(0, 5)]);
    }"""
    seen = drive(page, driver, width=width)
    assert json.loads(seen.told("width")) == width
    assert json.loads(seen.told("over")) == [0, []]


def test_without_scripts_the_page_still_shows_everything(page):
    """The charts, the coloured texts and the layer shown are in the file itself."""
    bare = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    driver = """(tell) => {
      tell("charts", document.querySelectorAll("svg.chart path.line").length);
      tell("slider", document.querySelector("input[type=range]").getClientRects().length);
      tell("state", document.querySelector(".state").innerText);
    }"""
    seen = drive(bare, driver)
    assert json.loads(seen.told("charts")) > 10
    assert json.loads(seen.told("slider")) == 0
    assert (
        json.loads(seen.told("state"))
        == f"Colours show the probe of block {view_of(REPORT).start}."
    )


def test_hostile_text_does_not_run():
    attack = '</script><img src=x onerror="window.ran=1"><script>window.ran=1</script><!--'
    view = view_of(REPORT)
    text = replace(view.texts[0], tokens=(attack,) * len(view.texts[0].tokens), label=attack)
    hostile = replace(view, texts=(text,), classes=(attack, attack), note=attack, score=attack)
    report = replace(REPORT, title=attack, question=attack, sections=(hostile,))
    driver = """(tell) => {
      const token = document.querySelector("[data-text] .t");
      token.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
      tell("ran", window.ran === 1);
      tell("images", document.images.length);
    }"""
    seen = drive(render(report), driver, fragment=f"#layer={LAYERS[3]}")
    assert json.loads(seen.told("ran")) is False
    assert json.loads(seen.told("images")) == 0
    assert json.loads(seen.told("seen")) == []
