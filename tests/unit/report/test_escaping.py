"""Nothing in the data can leave its place in the page, whatever it says."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.report import (
    Accounting,
    Answer,
    Bin,
    Calibration,
    Claims,
    ClaimView,
    ConfusionMatrix,
    Coordinate,
    Curve,
    LayerCurves,
    Loss,
    MassiveView,
    Notice,
    Notices,
    PenaltyMap,
    Provenance,
    Reliability,
    Report,
    Sink,
    Step,
    Table,
    Text,
    TokenText,
    TokenView,
    TransferCell,
    TransferMatrix,
    render,
    write_report,
)
from sonde.report.island import island
from sonde.stats.interval import Interval

ATTACK = '</script></style><img src=x onerror=alert(1)><!--\u2028" onload="x\' {{ 7*7 }} \ud800'
NAN = math.nan


def hostile(text: str) -> Report:
    """A report that has the text wherever a text may stand, and NaN wherever a number may."""
    bad = Interval(NAN, -math.inf, math.inf, 3)
    good = Interval(0.7, 0.6, 0.8, 3)
    token = TokenText(
        (text, " ", ""),
        (1, 2, 3),
        ((0.1, None, NAN), (math.inf, 0.5, 1.0)),
        text,
        True,
        0,
        (NAN, 0.4),
        (1,),
        text,
        truth=(True, None, False),
    )
    return Report(
        title=text,
        question=text,
        answer=Answer(text, text, "none", text, ((text, good), (text, bad)), text, 0.5),
        facts=((text, text),),
        made=text,
        sections=(
            Claims(
                (
                    ClaimView(
                        text,
                        text,
                        "confirmed",
                        text,
                        text,
                        text,
                        good,
                        (NAN, 0.5),
                        (text,),
                        ((text, text),),
                    ),
                    ClaimView(text, text, "refuted", text, text, effect=bad),
                ),
                text,
                text,
            ),
            Notices((Notice(text, text), Notice(text, text, "problem")), title=text),
            Accounting(
                (Step(text, 2), Step(text, 1, (Loss(text, 1, (text,)),))),
                padding=NAN,
                facts=((text, text),),
                title=text,
            ),
            LayerCurves(
                (0, 5),
                (
                    Curve(
                        text,
                        (bad, good),
                        {text: (good, bad), "shuffled labels": (bad, good)},
                        {text: bad, "length": good},
                        bad,
                        {text: bad},
                        {text: text, "bag of tokens": text},
                    ),
                    Curve(text, (None, None)),
                ),
                metric=text,
                title=text,
                note=text,
            ),
            MassiveView(
                (0, 5),
                (Coordinate(3, (NAN, math.inf), text), Coordinate(4, (None, 12.0), text)),
                (NAN, 1.0),
                (math.inf, 2.0),
                (None, 3.0),
                (Sink(text, 0, NAN, NAN),),
                title=text,
            ),
            TokenView(
                (0, 5),
                (token,),
                (text, text),
                score=text,
                metric=text,
                note=text,
                title=text,
                quality=(NAN, 0.5),
                truth_says=text,
                left_out=text,
            ),
            PenaltyMap((0, 5), (1.0, 10.0), ((NAN, None), (0.5, math.inf)), text, text, text),
            TransferMatrix(
                (TransferCell(text, text, bad, text), TransferCell(text, "b", good, text)),
                text,
                note=text,
                title=text,
            ),
            ConfusionMatrix((text, "b"), ((0, 0), (1, 2)), text, text, text),
            Calibration(
                (
                    Reliability(text, (Bin(0, 1, NAN, bad, 3),), NAN, NAN, ((text, text),)),
                    Reliability(text, (Bin(0, 1, 0.5, good, 3), Bin(1, 1, None, None, 0))),
                ),
                text,
                text,
                text,
            ),
            Provenance(
                text,
                text,
                text,
                text,
                text,
                text,
                text,
                0,
                ((text, text),),
                ((text, text),),
                text,
                text,
            ),
            Text(text, text),
            Table((text, text), ((text, NAN), (None, 3)), text, text),
        ),
    )


class Outline(HTMLParser):
    """The tags and attributes of a page, and what its data islands hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.islands: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._inside = tag == "script" and dict(attrs).get("type") == "application/json"
        if self._inside:
            self.islands.append("")

    def handle_data(self, data):
        if self._inside:
            self.islands[-1] += data

    def handle_endtag(self, tag):
        self._inside = False


def test_hostile_text_adds_no_tag_and_no_attribute():
    plain, attacked = Outline(render(hostile("plain"))), Outline(render(hostile(ATTACK)))
    # A visible token may hold marks for its hidden characters; nothing else may differ.
    extra = sorted(set(attacked.tags) - set(plain.tags))
    assert extra == [] or set(extra) <= {"i", "wbr"}
    assert "img" not in attacked.tags
    names = {name for name, _ in attacked.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert attacked.tags.count("script") == plain.tags.count("script")


def test_the_attack_is_only_there_escaped():
    page = render(hostile(ATTACK))
    assert "<img" not in page
    assert "{{ 7*7 }}" in page, "a template in the data is text"
    assert "\u2028" not in "".join(Outline(page).islands)


def test_islands_are_strict_json_without_nan():
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    islands = Outline(render(hostile(ATTACK))).islands
    assert len(islands) >= 4
    for text in islands:
        json.loads(text, parse_constant=refuse)


def test_nothing_is_loaded_from_anywhere():
    outline = Outline(render(hostile("http://example.org/x.js")))
    loads = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}
    assert not [pair for pair in outline.attributes if pair[0] in loads]
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(outline.tags)
    page = render(hostile("plain"))
    assert "@import" not in page
    assert "url(" not in page
    # The name of the SVG elements is an address that nothing loads.
    assert set(re.findall(r"https?://[^\s\"']+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "fetch(" not in page and "XMLHttpRequest" not in page


def test_the_policy_allows_the_pages_own_script_and_style_alone():
    page = render(hostile(ATTACK))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src &#39;none&#39;" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    assert "<style>" in page
    # A style attribute would be refused by the policy, and so would a handler.
    assert not [name for name, _ in Outline(page).attributes if name == "style"]


def test_white_space_wraps():
    page = render(hostile("a \n\t b"))
    assert "&nbsp;" not in page and not re.search("\u00a0(?!%)", page)
    assert "white-space:pre" not in page.replace(" ", "")
    assert "⏎" in page and "⇥" in page and "<br>" in page


def test_a_report_is_written_even_with_half_a_surrogate_pair(tmp_path):
    path = write_report(hostile(ATTACK), tmp_path / "deep" / "report.html")
    assert path == tmp_path / "deep" / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_same_report_gives_the_same_bytes():
    assert render(hostile(ATTACK)) == render(hostile(ATTACK))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_an_island_reads_back_as_it_was(value):
    text = str(island(value))
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf])
def test_an_island_writes_null_for_what_json_lacks(bad):
    assert str(island({"a": [bad, 1.5]})) == '{"a":[null,1.5]}'


def test_an_unknown_kind_of_section_is_refused():
    class Odd:
        kind, title = "odd", ""

    with pytest.raises(Exception, match="'odd' is not a kind of section"):
        render(replace(hostile("x"), sections=(Odd(),)))  # type: ignore[arg-type]
