"""Opinions by content: never asked twice, kept when a judge stops, shared between processes."""

import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.judges.cache import CachedJudge
from sonde.judges.function import FunctionJudge
from sonde.judges.judge import Asked, Opinion


@dataclass
class Counting:
    """Scores an answer by its length, one after another, and counts what it was asked."""

    version: int = 1
    fail_at: int = -1
    name: str = "counting"
    aspect: str = "trait"
    seen: list[str] = field(default_factory=list)

    def key(self):
        return {"version": self.version}

    def score(self, asked):
        return [opinion for _, opinion in self.each(asked)]

    def each(self, asked):
        for number, one in enumerate(asked):
            if number == self.fail_at:
                raise SondeError("gone")
            self.seen.append(one.answer)
            yield number, Opinion(float(len(one.answer)), 0.9, cost=0.5, tokens=7)


def asked(*answers):
    return [Asked("Why?", answer, "joy", "great joy") for answer in answers]


def test_what_is_known_is_not_asked_again_and_costs_nothing(tmp_path):
    judge = Counting()
    cached = CachedJudge(judge, tmp_path / "a" / "opinions.sqlite")
    first = cached.score(asked("a", "bb", "a", "ccc"))
    assert judge.seen == ["a", "bb", "ccc"]
    assert [one.score for one in first] == [1, 2, 1, 3]
    assert sum(one.cost for one in first) == 1.5
    again = cached.score(asked("ccc", "dddd", "a"))
    assert judge.seen[3:] == ["dddd"]
    assert again == [Opinion(3.0, 0.9), Opinion(4.0, 0.9, cost=0.5, tokens=7), Opinion(1.0, 0.9)]


@pytest.mark.parametrize(
    "other",
    [
        Asked("How?", "a", "joy", "great joy"),
        Asked("Why?", "b", "joy", "great joy"),
        Asked("Why?", "a", "rage", "great joy"),
        Asked("Why?", "a", "joy", "some joy"),
    ],
)
def test_anything_else_is_another_question(other, tmp_path):
    judge = Counting()
    CachedJudge(judge, tmp_path / "opinions").score([*asked("a"), other])
    assert len(judge.seen) == 2


def test_another_judge_has_opinions_of_its_own(tmp_path):
    judges = Counting(1), Counting(2), Counting(1, aspect="coherence"), Counting(1)
    for judge in judges:
        CachedJudge(judge, tmp_path / "opinions").score(asked("a"))
    assert [len(judge.seen) for judge in judges] == [1, 1, 1, 0]


def test_what_a_judge_said_before_it_stopped_is_kept(tmp_path):
    path = tmp_path / "opinions"
    with pytest.raises(SondeError, match="gone"):
        CachedJudge(Counting(fail_at=2), path).score(asked("a", "bb", "ccc", "dddd"))
    later = Counting()
    found = CachedJudge(later, path).score(asked("a", "bb", "ccc", "dddd"))
    assert later.seen == ["ccc", "dddd"]
    assert [one.score for one in found] == [1, 2, 3, 4]


def test_no_score_is_kept_where_the_judge_answered_and_asked_again_where_it_did_not(tmp_path):
    @dataclass
    class Odd(Counting):
        def each(self, asked):
            for number, one in enumerate(asked):
                self.seen.append(one.answer)
                answered = one.answer == "vague"
                yield number, Opinion(None, 0.1 if answered else None, "no score")

    judge = Odd()
    for _ in range(2):
        CachedJudge(judge, tmp_path / "opinions").score(asked("vague", "refused"))
    assert judge.seen == ["vague", "refused", "refused"]


def test_judges_that_answer_all_at_once_are_kept_too(tmp_path):
    calls = []

    def function(asked):
        calls.append(len(asked))
        return [5.0] * len(asked)

    judge = FunctionJudge(function, "five", "trait", {})
    for _ in range(2):
        assert [one.score for one in CachedJudge(judge, tmp_path / "o").score(asked("a", "b"))] == [
            5,
            5,
        ]
    assert calls == [2]


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "opinions"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(SondeError, match=r"opinions is damaged: .*Delete it"):
        CachedJudge(Counting(), path).score(asked("a"))


def test_a_locked_or_unwritable_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "opinions"
    monkeypatch.setattr("sonde.judges.cache.PATIENCE", 0.01)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SondeError, match="cannot be used: database is locked"):
        CachedJudge(Counting(), path).score(asked("a"))
    holder.close()


WRITER = """
import sys
from pathlib import Path
from sonde.judges import Asked, CachedJudge, FunctionJudge

judge = FunctionJudge(lambda asked: [7.0] * len(asked), "seven", "trait", {})
answers = [Asked("Why?", str(number)) for number in range(40)]
CachedJudge(judge, Path(sys.argv[1])).score(answers)
"""


def test_several_processes_may_write_at_once(tmp_path):
    path = tmp_path / "opinions"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [writer.communicate()[1].decode() for writer in writers]
    assert errors == [""] * 3
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT COUNT(*), MIN(score) FROM opinion").fetchone() == (40, 7.0)


@settings(max_examples=15)  # each writes to disk
@given(st.lists(st.text(max_size=3), max_size=4))
def test_a_cache_changes_no_score(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("cache")
    plain = [one.score for one in Counting().score(asked(*answers))]
    cached = CachedJudge(Counting(), folder / "opinions")
    for _ in range(2):
        assert [one.score for one in cached.score(asked(*answers))] == plain
