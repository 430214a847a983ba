"""What a reader of a search is warned of."""

from dataclasses import replace

import numpy as np
from tests.unit.steering.made_answers import made_answers, made_results, steered_by

from sonde.steering.cautions import cautions
from sonde.steering.settings import JudgedCoherence, SearchSettings

VECTORS = [steered_by("probe", 1), steered_by("random", 1)]


def searched(surprise=1.0, coherence=None, **changes):
    trait = np.full((6, 8), 40.0)
    answers = made_answers(trait, coherence, np.broadcast_to(surprise, 6))
    return made_results(answers, VECTORS, **changes)


def test_a_search_without_a_flaw_warns_of_nothing():
    assert cautions(searched()) == ()


def test_cliffs_that_were_not_found_are_named():
    found = searched()
    none, endless = found.cliffs
    none, endless = replace(none, coherent=None), replace(endless, incoherent=None)
    said = cautions(replace(found, cliffs=(none, endless)))
    assert said[0] == f"No coefficient tried left the text coherent for {none.vector}."
    assert said[1].startswith("No cliff was found up to the largest coefficient for random@")


def test_a_limit_that_nothing_keeps_is_said():
    (said,) = cautions(searched(surprise=[1.0, 1.0, 2.0, 2.0, 1.0, 1.0]))
    assert said == (
        "Nothing stays within the limit, perplexity of at most 1.5 times the unsteered texts', "
        f"for {VECTORS[0].name}."
    )
    judged = SearchSettings(limit=JudgedCoherence(at_least=80))
    said = cautions(searched(coherence=np.full((6, 8), 75.0), settings=judged))
    assert said[0].startswith("The unsteered texts themselves fall short of a judged coherence of")
    assert said[1].endswith(f"for {VECTORS[0].name}, {VECTORS[1].name}.")


def test_scores_that_are_missing_and_close_logits_are_counted():
    found = searched()
    found.answers.trait[3, :2] = np.nan
    found.answers.margin[2, 5] = 1e-4
    said = cautions(found)
    assert said[0] == (
        "2 of 48 answers have no trait score; an arm that lacks more than 20% of them does not "
        "compete: no reason given (2)."
    )
    assert said[1].startswith("1 of 48 greedy texts passed a token")


def test_what_the_judges_left_unscored_is_named_with_the_reasons():
    judged = SearchSettings(limit=JudgedCoherence(at_least=10))
    found = searched(coherence=np.full((6, 8), 75.0), settings=judged)
    found.answers.coherence[2, :4] = np.nan
    reasons = [[""] * 8 for _ in range(6)]
    reasons[2][:4] = ["refused", "garbage", "refused", "stalled"]
    answers = replace(found.answers, reasons=tuple(map(tuple, reasons)))
    assert cautions(replace(found, answers=answers)) == (
        "4 of 48 answers have no coherence score and count as incoherent: refused (2); garbage "
        "(1); and 1 more.",
    )
    by_perplexity = replace(found, answers=answers, settings=SearchSettings())
    assert "no coherence score: refused (2)" in cautions(by_perplexity)[0]


def test_where_vectors_come_from_is_said_once_for_many():
    vectors = tuple(one.model_copy(update={"note": "made elsewhere"}) for one in VECTORS)
    assert cautions(replace(searched(), vectors=vectors)) == ("made elsewhere",)
    many = tuple(one.model_copy(update={"note": f"note {n}"}) for n, one in enumerate(VECTORS * 4))
    said = cautions(replace(searched(), vectors=many))
    assert len(said) == 6 and said[-1] == "So were 3 further vectors."
