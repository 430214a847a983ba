"""A probe as a judge of answers."""

import pytest
import torch
from tests.unit.steering.tiny_search import LAYER, TASK, tiny

from sonde import probes
from sonde.activations.extraction import extract
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.judges import Asked
from sonde.steering import probe_judge

ALONE = {"resamples": 5, "shuffles": 0, "directions": 0, "baseline": False, "folds": 4}
LIVELY, FLAT = "eeee", "abcd"


def examples():
    return [
        Example(
            id=f"{letters} {number}",
            prompt=question,
            response=f"{letters}{number}",
            label="positive" if letters == LIVELY else "negative",
        )
        for letters in (LIVELY, FLAT)
        for number, question in enumerate(TASK.questions)
    ]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONDE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def read_at(position):
    return extract(tiny(), examples(), layers=LAYER, positions=position, progress=False)


@pytest.fixture(scope="module")
def acts(own_cache):
    return read_at("response[:4].mean")


def fitted(acts, penalty=1.0):
    return probes.logistic(acts, examples(), penalties=(penalty,), **ALONE).best


def asked(answers):
    return [Asked(TASK.questions[0], answer, TASK.trait, TASK.definition) for answer in answers]


def test_scores_are_a_hundred_times_the_probability(acts):
    probe = fitted(acts)
    judge = probe_judge(probe, tiny())
    found = judge.score(asked([LIVELY, FLAT]))
    said = probe.read(
        tiny(),
        [Example(str(n), TASK.questions[0], text) for n, text in enumerate((LIVELY, FLAT))],
    )
    toward = said if probe.labels[1] == "positive" else 1 - said
    assert [one.score for one in found] == pytest.approx((100 * toward).tolist())
    assert found[0].score > 60 and found[1].score < 40
    assert judge.aspect == "trait" and "logistic" in judge.name


def test_an_answer_without_the_position_has_no_score():
    judge = probe_judge(fitted(read_at("response[3]")), tiny())
    short, full, empty = judge.score(asked(["ab", LIVELY, ""]))
    assert short.score is None and "nan" in short.reason
    assert full.score is not None
    assert empty.score == 0
    assert judge.score(asked(["ab"]))[0].score is None


def test_another_probe_is_another_judge(acts):
    probe = fitted(acts)
    same, other = fitted(acts), fitted(acts, 0.01)
    key = probe_judge(probe, tiny()).key()
    assert probe_judge(same, tiny()).key() == key
    assert not torch.equal(other.weight, probe.weight)
    assert probe_judge(other, tiny()).key() != key


def test_a_probe_without_a_probability_is_refused(acts):
    found = probes.mean_difference(acts, examples(), **ALONE).best
    with pytest.raises(SondeError, match="says no probability"):
        probe_judge(found, tiny())
