"""What sections refuse, and what they say."""

import pytest

from sonde.core.errors import SondeError
from sonde.report import (
    Accounting,
    Coordinate,
    Curve,
    LayerCurves,
    Loss,
    MassiveView,
    Notice,
    Notices,
    Step,
    Table,
    TokenText,
    TokenView,
)
from sonde.report.sections import (
    SECTIONS,
    accounting,
    layer_curves,
    massive_view,
    notices,
    token_view,
)
from sonde.stats.interval import Interval

SCORE = Interval(0.7, 0.6, 0.8, 10)


def token_text(**changes) -> TokenText:
    given = {
        "tokens": ("a", " b"),
        "ids": (1, 2),
        "scores": ((0.2, 0.9), (0.5, 0.4999)),
        "positive": True,
        "read_at": 1,
    }
    return TokenText(**(given | changes))


def massive(**changes) -> MassiveView:
    given = {
        "layers": (0, 1, 2),
        "coordinates": (
            Coordinate(7, (110.0, 150.0, 100.0)),
            Coordinate(3, (2.0, 12.0, 11.0)),
        ),
        "typical_norm": (10.0, 20.0, 30.0),
        "full_norm": (10.0, 50.0, 60.0),
        "tokens": 4000,
        "use_layer": 1,
    }
    return MassiveView(**(given | changes))


def test_every_kind_has_a_template():
    from importlib.resources import files

    for kind in SECTIONS:
        assert (files("sonde.report") / "templates" / f"{kind}.html").is_file()


def test_accounting_must_add_up():
    with pytest.raises(SondeError, match="10 examples were read, 7 extracted, but 2"):
        Accounting((Step("read", 10), Step("extracted", 7, (Loss("empty", 2),))))


def test_accounting_is_said_in_one_sentence():
    section = Accounting(
        (Step("read", 10), Step("extracted", 7, (Loss("empty", 2), Loss("too long", 1))))
    )
    said = accounting.prepare(section)["sentence"]
    assert said == "7 of 10 examples were used. 3 went no further: empty and too long."
    clean = Accounting((Step("read", 10), Step("used", 10)))
    assert accounting.prepare(clean)["sentence"] == "All 10 examples were used; nothing was lost."


def test_examples_beyond_five_are_counted():
    ids = tuple(f"s{number}" for number in range(8))
    section = Accounting((Step("read", 8), Step("used", 0, (Loss("lost", 8, ids),))))
    loss = accounting.prepare(section)["steps"][1]["losses"][0]
    assert loss["examples"] == ids[:5]
    assert loss["more"] == "3"


@pytest.mark.parametrize(
    "make",
    [
        lambda: LayerCurves((0, 1), (Curve("a", (SCORE,)),)),
        lambda: LayerCurves((0, 1), (Curve("a", (SCORE, SCORE), {"shuffled labels": (SCORE,)}),)),
        lambda: LayerCurves((1, 0), (Curve("a", (SCORE, SCORE)),)),
        lambda: LayerCurves((), ()),
        lambda: LayerCurves((0,), (Curve("a", (SCORE,)),) * 7),
        lambda: TokenView((0,), (token_text(),)),
        lambda: TokenView((0, 1), (token_text(ids=(1,)),)),
        lambda: TokenView((0, 1), (token_text(read_at=2),)),
        lambda: TokenView((0, 1), (token_text(outcome=(0.5,)),)),
        lambda: TokenView((0, 1), (token_text(),), threshold=1.5),
        lambda: TokenView((0, 1), (token_text(),), start=9),
        lambda: massive(typical_norm=(1.0,)),
        lambda: Table(("a", "b"), (("x",),)),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(SondeError):
        make()


def test_the_choice_and_the_best_layer_each_have_their_own_controls():
    low, words = Interval(0.5, 0.4, 0.6, 10), Interval(0.55, 0.5, 0.6, 10)
    curve = Curve(
        "a",
        (low, SCORE),
        {"shuffled labels": (low, low), "random direction": (None, words)},
        {"bag of tokens": words},
        SCORE,
        {"shuffled labels": words},
        {"length": "no texts were given"},
    )
    shown = layer_curves.prepare(LayerCurves((3, 7), (curve,)))
    assert shown["columns"] == ["shuffled labels", "random direction", "bag of tokens"]
    best, chosen = shown["summaries"]
    assert (best["which"], chosen["which"]) == ("best block 7", "layer chosen in training")
    assert [text for _, text in best["against"]] == [
        ".500 [.400, .600]", ".550 [.500, .600]", ".550 [.500, .600]",
    ]  # fmt: skip
    assert [text for _, text in chosen["against"]] == [
        ".550 [.500, .600]", "none", ".550 [.500, .600]",
    ]  # fmt: skip
    assert shown["absences"] == ["No length baseline (no texts were given)"]


def test_a_control_that_probes_share_is_drawn_once():
    shared = {"random direction": (SCORE, SCORE)}
    own = Interval(0.5, 0.4, 0.6, 10)
    one = Curve("a", (SCORE, SCORE), {**shared, "shuffled labels": (SCORE, own)})
    other = Curve("b", (SCORE, SCORE), {**shared, "shuffled labels": (own, SCORE)})
    drawn = layer_curves.prepare(LayerCurves((0, 1), (one, other)))["chart"].drawings
    wide = drawn.split("</svg>")[0]
    assert wide.count('class="control random-direction"') == 1
    assert wide.count('class="control shuffled-labels"') == 2


def test_warnings_come_gravest_first():
    items = notices.prepare(Notices((Notice("a", level="note"), Notice("b", level="problem"))))
    assert [item.what for item, _ in items["items"]] == ["b", "a"]


def test_a_text_is_read_at_its_token_or_by_its_own_score():
    view = TokenView((0, 1), (token_text(),), ("no", "yes"))
    assert token_view.reading(view, view.texts[0], 0) == {
        "said": "read as yes, .900", "mark": "✓", "verdict": "right",
    }  # fmt: skip
    # Scores are kept to a thousandth, and what is shown decides.
    assert token_view.reading(view, view.texts[0], 1)["said"] == "read as yes, .500"
    own = TokenView((0, 1), (token_text(outcome=(0.1, None)),), ("no", "yes"))
    assert token_view.reading(own, own.texts[0], 0)["verdict"] == "wrong"
    assert token_view.reading(own, own.texts[0], 1)["said"] == ""


def test_scores_are_kept_to_a_thousandth_of_their_span():
    assert TokenView((0, 1), (token_text(),)).digits == 3
    assert TokenView((0, 1), (token_text(),), low=-50, high=50).digits == 1
    assert TokenView((0, 1), (token_text(),), low=-1, threshold=0.0, high=1).digits == 2


def test_massive_dimensions_in_words():
    section = massive()
    said = massive_view.prepare(section)
    assert said["sentence"] == (
        "2 coordinates stand out over 4,000 ordinary tokens; dimension 7 reaches 150 times the "
        "median at block 1. Severe: 7."
    )
    assert said["advice"].startswith(
        "At block 1 one unit of steering is 20, the typical norm, not the full norm 50"
    )
    assert [item["massive"] for item in said["coordinates"]] == [3, 2]


def test_severe_needs_as_many_layers_as_massive():
    two = massive(coordinates=(Coordinate(7, (99.0, 150.0, 120.0)),))
    assert massive_view.prepare(two)["sentence"].endswith("None is severe.")


def test_massive_dimensions_that_do_not_matter_and_none():
    assert "add little" in massive_view.prepare(massive(full_norm=(10.0, 21.0, 31.0)))["advice"]
    none = massive_view.prepare(massive(coordinates=()))
    assert none["sentence"].startswith("No coordinate stands out: none reaches 10 times")
    assert "as they are" in none["advice"]
    unknown = massive(typical_norm=(None, None, None))
    assert "could not be measured" in massive_view.prepare(unknown)["advice"]


def test_a_single_layer_and_a_single_token_make_a_page():
    from sonde.report import Report, render

    text = TokenText(("a",), (1,), ((0.5,),))
    page = render(
        Report(
            "t",
            "q",
            (
                LayerCurves((4,), (Curve("one", (SCORE,)),), chance=None),
                MassiveView((4,), (Coordinate(1, (0.0,)),), (0.0,), (0.0,)),
                TokenView((4,), (text,)),
                Accounting(()),
                Notices(()),
            ),
        )
    )
    assert "nan" not in page.split("</style>")[1].split("<script>")[0].lower()


def test_many_tokens_are_shown_one_text_at_a_time():
    words = ("a",) * 1500
    long = TokenText(words, (1,) * 1500, ((0.5,) * 1500,))
    assert '"first":"1"' in token_view.prepare(TokenView((0,), (long, long)))["data"]
    assert '"first":"all"' in token_view.prepare(TokenView((0,), (long,)))["data"]
