"""The search of several layers at once, on a tiny random model."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.unit.steering.tiny_search import judges, planted, same_answers, session, tiny

from sonde.core.edits import Add, Scope, When
from sonde.models.generate import GenerateSettings, generate
from sonde.report import render
from sonde.report.from_steering import samples_from, steering_from
from sonde.report.report import Report
from sonde.steering import PerplexityCap, SteeringResults, monitor, search, transcripts
from sonde.steering.candidates import Arm, Candidate, How
from sonde.steering.evaluation import evaluation_table
from sonde.steering.joint import JointVectors

WIDE = PerplexityCap(times=20)
EARLY, LATE = planted(layer=1), planted()
JOINT = "planted@response[:5].mean@blocks.1,2.resid_post"


@pytest.fixture(scope="module")
def found():
    return search(session(limit=WIDE, folds=2), [LATE, [LATE, EARLY]], judges())


def test_blocks_at_once_are_one_more_point_of_the_search(found):
    names = [one.name for one in found.vectors]
    assert names[:2] == [LATE.name, JOINT]
    assert [one.where for one in found.vectors if one.method == "random"] == [
        "block 2",
        "blocks 1, 2",
    ]
    assert len(found.cliffs) == 4 and all(found.of_vector(name) for name in names)
    assert found.select(layer=[1, 2], method="planted") == sorted(found.of_vector(JOINT))
    assert found.select(layer=1) == []
    rows = evaluation_table(found, by=("kind", "layer"))
    assert {"planted@2", "planted@1, 2"} <= {row.name for row in rows}
    (both,) = (row for row in evaluation_table(found, by=("kind",)) if row.name == "planted")
    assert both.n_candidates == len(found.of_vector(LATE.name)) + len(found.of_vector(JOINT))


def test_texts_are_those_of_edits_at_every_block(found):
    """Written again by plain generation, with an edit of its own size at each block."""
    arm = found.of_vector(JOINT)[-1]
    coefficient = found.arms[arm].coefficient
    edits = [
        Add(one.hook, one.direction, coefficient * one.typical_norm, Scope(when=When.GENERATED))
        for one in (EARLY, LATE)
    ]
    made = generate(tiny(), session().prompts(), GenerateSettings(max_new_tokens=6), edits)
    clear = found.answers.margin[arm] > 1e-3
    assert clear.sum() > 4
    same = np.array(
        [one == two for one, two in zip(made.texts, found.answers.text[arm], strict=True)]
    )
    assert same[clear].all()
    assert found.arms[arm].also_raw == pytest.approx((coefficient * LATE.typical_norm,))


def test_saved_and_loaded_and_an_older_file(found, tmp_path):
    again = SteeringResults.load(found.save(tmp_path))
    assert again.vectors == found.vectors and same_answers(again, found)
    table = pq.read_table(tmp_path / "answers.parquet")
    assert table.column("layers").to_pylist()[9 * found.of_vector(JOINT)[0]] == [1, 2]
    about = json.loads((tmp_path / "steering.json").read_text())
    del about["gate"]  # as a file was before
    for one in (*about["vectors"], *about["arms"]):
        one.pop("also", None)
        one.pop("also_raw", None)
    (tmp_path / "steering.json").write_text(json.dumps(about))
    older = SteeringResults.load(tmp_path)
    assert older.vectors[0] == found.vectors[0] and older.gate is None


def test_a_text_is_monitored_as_it_was_made(found):
    """At each block the projection rises by what was added there, and by what came before it."""
    arm = Arm(Candidate.of(JointVectors.of([EARLY, LATE]), 0.5, How()))
    own = session()
    texts = [one for one in transcripts(own, arm) if one.answer][:3]
    steered, plain = (monitor(tiny(), texts, [EARLY, LATE], steered=flag) for flag in (True, False))
    added = (steered.values - plain.values)[plain.generated]
    np.testing.assert_allclose(added[:, 0], 0.5 * EARLY.typical_norm, rtol=1e-3)
    late = monitor(
        tiny(),
        [type(one)(one.name, one.prompt, one.answer, Candidate(EARLY, 0.5)) for one in texts],
        [LATE],
    ).values[plain.generated, 0]
    np.testing.assert_allclose(
        steered.values[plain.generated, 1] - late, 0.5 * LATE.typical_norm, rtol=1e-3
    )


def test_the_report_names_the_blocks(found):
    page = render(Report("t", "q", (*steering_from(found), samples_from(found))))
    assert "planted, blocks 1, 2" in page and "planted, block 2" in page
    assert "the raw size is that at the first of them" in page


def test_a_journal_goes_on_with_them(tmp_path):
    given = {"limit": WIDE, "points": 1, "refinements": 0, "screen": {"questions": 1}}
    first = search(session(tmp_path, **given), [[EARLY, LATE]], judges())
    length = (tmp_path / "journal.jsonl").stat().st_size
    again = search(session(tmp_path, **given), [[LATE, EARLY]], judges())
    assert same_answers(again, first)
    assert (tmp_path / "journal.jsonl").stat().st_size == length
    assert torch.equal(EARLY.direction, LATE.direction)  # the place alone tells them apart
