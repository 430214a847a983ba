"""Displays in a notebook's page: each in a frame of its own, which neither breaks the other."""

import json
import re
from html import unescape

import pytest
from chromium import drive
from realistic import realistic

from sonde import display
from sonde.report import Accounting, TokenView

SECTIONS = realistic().sections
PAGE = """<!doctype html><html><head><title>notebook</title>
<style>p{{color:rgb(1,2,3)}} table{{width:37px}}</style></head><body>
<p id="own">The notebook's own text.</p><table id="grid"><tr><td>1</td></tr></table>
{first}<div id="between">between</div>{second}</body></html>"""


def shown(kind: type) -> str:
    return display(next(one for one in SECTIONS if isinstance(one, kind)))._repr_html_()


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.format(first=shown(Accounting), second=shown(TokenView))


def test_two_displays_stand_in_a_page_and_leave_it_alone(page):
    driver = """(tell) => {
      const style = (name) => getComputedStyle(document.getElementById(name));
      tell("own", [style("own").color, style("grid").width, document.styleSheets.length]);
      const frames = [...document.querySelectorAll("iframe")];
      tell("names", new Set(frames.map((each) => each.id)).size);
      tell("sandbox", frames.map((each) => each.getAttribute("sandbox")));
      tell("reach", frames.map((each) => each.contentDocument === null));
      setTimeout(() => {
        tell("heights", frames.map((each) => parseInt(each.style.height, 10)));
        tell("globals", [typeof sonde, document.documentElement.className]);
      }, 1200);
    }"""
    seen = drive(page, driver)
    assert json.loads(seen.told("own")) == ["rgb(1, 2, 3)", "37px", 1]
    assert json.loads(seen.told("names")) == 2
    assert json.loads(seen.told("sandbox")) == ["allow-scripts"] * 2
    assert json.loads(seen.told("reach")) == [True, True], "the frame is of no origin"
    steps, texts = json.loads(seen.told("heights"))
    assert 200 < steps < 700, "as high as it needs"
    assert texts == 900, "no higher than that: it scrolls, its sliders staying in view"
    assert json.loads(seen.told("globals")) == ["undefined", ""]
    assert json.loads(seen.told("seen")) == []


def test_messages_of_others_do_not_move_a_frame(page):
    driver = """(tell) => {
      postMessage({ sonde: "height", height: 333 }, "*");
      setTimeout(() => tell("heights",
        [...document.querySelectorAll("iframe")].map((each) => each.style.height)), 1200);
    }"""
    assert "333px" not in json.loads(drive(page, driver).told("heights"))


@pytest.mark.parametrize("width", [390, 1280])
def test_what_stands_in_a_frame_is_a_whole_page_of_its_own(page, width):
    inner = unescape(re.findall(r'srcdoc="([^"]*)"', page)[1])
    driver = """(tell) => {
      const range = document.querySelector("[data-layers]");
      range.value = 2;
      range.dispatchEvent(new Event("input", { bubbles: true }));
      tell("layer", document.querySelector("[data-layer]").textContent);
      const page = document.documentElement;
      tell("over", page.scrollWidth - page.clientWidth);
      tell("left", [".brand", "footer", "h1"].map((each) => document.querySelector(each) !== null));
    }"""
    seen = drive(inner, driver, width=width)
    assert json.loads(seen.told("layer")) == "2"
    assert json.loads(seen.told("over")) == 0
    assert json.loads(seen.told("left")) == [False, False, False]
    assert json.loads(seen.told("seen")) == []
