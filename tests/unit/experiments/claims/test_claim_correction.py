import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from sonde.experiments.claims.composition import composed
from sonde.experiments.claims.correction import corrected, p_in_words
from sonde.experiments.claims.judging import Finding


def found(p, verdict=None) -> Finding:
    word = verdict or ("confirmed" if p is not None and p < 0.05 else "inconclusive")
    return Finding(word, "The effect is there.", p=p, n=200)


def family(*values, correction="holm", level=0.95):
    findings = {str(number): found(p) for number, p in enumerate(values)}
    return list(corrected(findings, dict.fromkeys(findings, level), correction).values())


def test_holm_by_hand():
    # Sorted .01, .02, .03: times 3, 2, 1, never falling: .03, .04, .04.
    made = family(0.01, 0.03, 0.02)
    assert [one.p_adjusted for one in made] == pytest.approx([0.03, 0.04, 0.04])
    assert {one.verdict for one in made} == {"confirmed"}


def test_what_does_not_stand_the_correction_is_inconclusive_and_says_so():
    made = family(0.01, 0.03, 0.04)
    assert [one.p_adjusted for one in made] == pytest.approx([0.03, 0.06, 0.06])
    assert [one.verdict for one in made] == ["confirmed", "inconclusive", "inconclusive"]
    assert "alone it is confirmed (p = 0.030)" in made[1].why
    assert "not after Holm's correction over 3 questions (adjusted p = 0.060)" in made[1].why
    # z(.025/... ) of a two-sided .03 · .05/.06 = .025 is 2.24; with power .8: (2.24 + .84)² / 2.17²
    assert "About 410 units in place of 200" in made[1].advice


def test_benjamini_hochberg_is_as_scipy_has_it():
    values = (0.01, 0.03, 0.04, 0.2)
    made = family(*values, correction="benjamini_hochberg")
    assert [one.p_adjusted for one in made] == pytest.approx(false_discovery_control(values))


def test_without_a_correction_nothing_changes():
    assert [one.p_adjusted for one in family(0.04, 0.04, correction="none")] == [None, None]


def test_one_question_is_a_family_of_its_own():
    assert [one.verdict for one in family(0.049)] == ["confirmed"]


def test_what_could_not_be_tested_counts_as_a_question_all_the_same():
    made = family(0.04, None, 0.01)
    assert [one.verdict for one in made] == ["inconclusive", "inconclusive", "confirmed"]
    assert [one.p_adjusted for one in made] == pytest.approx([0.08, None, 0.03])
    assert "correction over 3 questions" in made[0].why
    assert made[1] == found(None)
    assert family(None, None) == [found(None), found(None)]


@given(
    st.lists(st.floats(1e-6, 1), min_size=1, max_size=8),
    st.sampled_from(["holm", "benjamini_hochberg"]),
)
def test_a_correction_only_ever_takes_back(values, correction):
    before = [found(p) for p in values]
    for old, new in zip(before, family(*values, correction=correction), strict=True):
        assert new.p_adjusted >= old.p - 1e-12
        assert new.verdict in (old.verdict, "inconclusive")


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["confirmed", "confirmed"], "confirmed"),
        (["refuted", "refuted"], "refuted"),
        (["confirmed", "refuted"], "partial"),
        (["confirmed", "inconclusive"], "partial"),
        (["refuted", "inconclusive"], "inconclusive"),
        (["inconclusive"], "inconclusive"),
    ],
)
def test_all_of(words, verdict):
    parts = {f"part {number}": found(0.01, word) for number, word in enumerate(words)}
    assert composed(parts).verdict == verdict


def test_all_of_lists_its_parts_and_takes_the_largest_p():
    whole = composed({"a": found(0.01), "b [seed=1]": found(0.3, "refuted")})
    assert whole.why == "1 of 2 parts is confirmed (refuted: b [seed=1]; confirmed: a)."
    assert whole.p == 0.3
    assert composed({"a": found(0.01), "b": found(None)}).p is None


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0321, "p = 0.032"), (0.00321, "p = 0.0032"), (1e-9, "p < 0.0001"), (1.0, "p = 1.000")],
)
def test_p_values_in_words(p, words):
    assert p_in_words(p) == words
