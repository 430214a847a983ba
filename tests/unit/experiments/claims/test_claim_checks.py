"""What a file may claim: names that exist, a purpose that allows it."""

import pytest
from hand_made import specification

from sonde.core.errors import SondeError
from sonde.experiments.claims.specification import content_of
from sonde.experiments.spec import read_specification

GOOD = "{statement: s, kind: superiority, of: news.selected, over: 0.5, by: 0.05}"
SWEEP = "sweep: {seed: [0, 1]}\n"


def refused(folder, claim, more="") -> str:
    with pytest.raises(SondeError) as error:
        specification(folder, f"  it: {claim}\n", more)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("news.selected", "nws.selected"), ["no stage 'nws'", "Did you mean 'news'?"]),
        (("news.selected", "acts.selected"), ["'acts' measures nothing", "news, old"]),
        (("news.selected", "news.slected"), ["no result 'slected'", "Did you mean 'selected'?"]),
        (("news.selected", "news.blocks.3.resid"), ["no result", "blocks.<layer>.<site>"]),
        (("news.selected", "news.blocks.3.hook_resid_post"), ["no result"]),
        (("news.selected", "news"), ["does not name a result", "claims.it"]),
        (("over: 0.5", "over: news.selected/bag of token"), ["'bag of tokens'"]),
        (("over: 0.5", "over: .nan"), ["finite"]),
        (("over: 0.5", "over: 'news.selected [seed=3]'"), ["[seed=3]", "no sweep"]),
        (("kind: superiority", "kind: superior"), ["'superior'", "superiority"]),
        (("kind: superiority, ", ""), ["claims.it has no kind", "all_of"]),
        (("statement: s, ", ""), ["statement", "missing"]),
        (("statement: s", "statement: ''"), ["statement"]),
        (("by: 0.05", "by: -0.05"), ["by (line 10) is -0.05, which is too low: write 0 or more."]),
        (("by: 0.05", "by: 0.05, level: 95"), ["is 95", "0.95 for 95 %"]),
        ((", by: 0.05", ""), ["by", "missing"]),
        (("by: 0.05", "by: 0.05, levl: 0.9"), ["levl", "level"]),
        (("by: 0.05", "by: 0.05, level: 1.0"), ["level"]),
        (("superiority", "equivalence, margin: 3"), ["margin"]),
    ],
)
def test_what_cannot_be_judged_is_refused_when_the_file_is_read(tmp_path, change, parts):
    said = refused(tmp_path, GOOD.replace(*change))
    for part in ["made.yaml", *parts]:
        assert part in said


def test_the_line_of_the_claim_is_named(tmp_path):
    said = refused(tmp_path, GOOD.replace("news.selected", "nws.selected"))
    assert "claims.it (line 10)" in said


@pytest.mark.parametrize(
    ("claim", "parts"),
    [
        ("of: news.selected", ["several results in `of`, or one result and `along`"]),
        ("of: [news.selected]", ["two results"]),
        ("of: news.selected, along: sed", ["not swept over", "Did you mean 'seed'?"]),
        ("of: news.selected, along: seed, at: [1, 2, 3]", ["3 values", "over 2"]),
        ("of: [news.selected, old.selected], at: [1, 1]", ["each larger"]),
        ("of: [news.selected, old.selected], at: [1, 2, 3]", ["3 values for 2 results"]),
        ("of: 'news.selected [seed=0]', along: seed", ["names one too"]),
        ("of: ['news.selected [seed=0]', news.selected]", ["a variant for one result"]),
        ("of: ['news.selected [seed=0]', 'news.selected [sed=1]']", ["Did you mean 'seed=1'?"]),
    ],
)
def test_a_trend_needs_an_ordered_factor(tmp_path, claim, parts):
    said = refused(tmp_path, f"{{statement: s, kind: trend, by: 0.1, {claim}}}", SWEEP)
    for part in parts:
        assert part in said


def test_a_trend_along_values_in_no_order_is_refused(tmp_path):
    text = "{statement: s, kind: trend, by: 0.1, of: news.selected, along: seed}"
    assert "in no order: 1, 3, 2" in refused(tmp_path, text, "sweep: {seed: [1, 3, 2]}\n")
    assert "one value only" in refused(tmp_path, text, "sweep: {seed: [1]}\n")


@pytest.mark.parametrize(
    ("of", "part"),
    [
        ("[it]", "is itself"),
        ("[other, whole]", "'whole', which is an all_of itself"),
        ("[othr]", "Did you mean 'other'?"),
        ("[other, other]", "twice"),
        ("[]", "of"),
    ],
)
def test_all_of_names_other_claims(tmp_path, of, part):
    claims = (
        f"  it: {{statement: s, kind: all_of, of: {of}}}\n  other: {GOOD}\n"
        "  whole: {statement: s, kind: all_of, of: [other]}\n"
    )
    with pytest.raises(SondeError, match=part):
        specification(tmp_path, claims)


def purpose(folder, purpose, claims) -> str:
    path = folder / "made.yaml"
    specification(folder, "")
    text = path.read_text().replace("purpose: confirmatory", f"purpose: {purpose}")
    path.write_text(text + f"claims:\n{claims}")
    with pytest.raises(SondeError) as error:
        read_specification(path)
    return str(error.value)


def test_a_smoke_run_makes_no_claim(tmp_path):
    said = purpose(tmp_path, "smoke", f"  it: {GOOD}\n")
    assert "A smoke run may make no claim" in said
    assert "--set claims={}" in said
    assert read_specification(tmp_path / "made.yaml", ["claims={}"]).claims == {}


def test_a_confirmatory_claim_needs_a_confirmatory_run(tmp_path):
    claim = GOOD.replace("by:", "mode: confirmatory, by:")
    said = purpose(tmp_path, "exploratory", f"  it: {claim}\n")
    assert "claims.it is confirmatory" in said
    assert "`purpose: confirmatory`" in said


@pytest.mark.parametrize("path", ["claims.it.by", "purpose", "correction", "references"])
def test_what_all_variants_share_cannot_be_swept(tmp_path, path):
    values = {
        "claims.it.by": "[0.1, 0.2]",
        "purpose": "[exploratory, confirmatory]",
        "correction": "[holm, none]",
        "references": "[{}]",
    }
    said = refused(tmp_path, GOOD, f"sweep: {{{path}: {values[path]}}}\n")
    assert f"sweeps over `{path.split('.')[0]}`" in said


def test_variants_that_look_alike_make_no_claims(tmp_path):
    long = ["x" * 50 + end for end in "ab"]
    said = refused(tmp_path, GOOD, f"sweep: {{question: {long}}}\n")
    assert "two variants" in said


def test_a_reference_value_is_for_a_result(tmp_path):
    stated = "references: {{{}: {{value: 0.8, tolerance: 0.01}}}}\n"
    assert "control or baseline" in refused(tmp_path, GOOD, stated.format("news.selected/length"))
    assert "Did you mean 'news'?" in refused(tmp_path, GOOD, stated.format("nes.selected"))
    spec = specification(tmp_path, f"  it: {GOOD}\n", stated.format("news.selected"))
    assert spec.variants[0].experiment.references["news.selected"].value == 0.8


def test_the_content_of_a_claim_has_its_defaults_and_its_parts(tmp_path):
    claims = f"  it: {GOOD}\n  all: {{statement: all, kind: all_of, of: [it]}}\n"
    spec = specification(tmp_path, claims)
    content = content_of("it", spec.claims)
    assert content == {
        "statement": "s", "mode": "exploratory", "level": 0.95, "kind": "superiority",
        "of": "news.selected", "over": 0.5, "by": 0.05,
    }  # fmt: skip
    assert content_of("all", spec.claims)["parts"] == {"it": content}
    changed = specification(tmp_path, claims.replace("by: 0.05", "by: 0.06"))
    assert content_of("all", changed.claims) != content_of("all", spec.claims)


def test_a_claim_can_be_changed_from_the_command_line(tmp_path):
    specification(tmp_path, f"  it: {GOOD}\n")
    spec = read_specification(tmp_path / "made.yaml", ["claims.it.by=0.2"])
    assert spec.claims["it"].by == 0.2
