"""What a trait's files lack is said before anything runs, in a plan and in a run."""

import json

import pytest
from tests.unit.experiments.test_steering_stages import EXPERIMENT, go

from sonde.core.errors import SondeError
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.spec import read_specification

CLAIM = """
  as_well_as_words:
    statement: The vector does as much as words.
    kind: non_inferiority
    of: steer.mean_difference
    over: steer.mean_difference/plain prompt
    by: 0.1
"""


@pytest.fixture
def experiment(tmp_path):
    """Return an experiment whose trait has neither definition nor instruction, only questions."""
    trait = tmp_path / "lively"
    trait.mkdir()
    for side in ("positive", "negative"):
        rows = [{"prompt": f"{n}?", "response": f"{side} {n}"} for n in range(8)]
        (trait / f"{side}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (trait / "steering.json").write_text(json.dumps(["What is rope?", "What is ink?"]))
    rule = {"base": 10, "patterns": [{"pattern": "positive", "weight": 80}], "threshold": 50}
    (trait / "rule.json").write_text(json.dumps(rule))
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT.replace("    questions: 4\n", "") + CLAIM)
    return path


def problems(path, *overrides):
    (planned,) = plan(
        read_specification(path, overrides), path.parent / "runs", named_hardware(None)
    )
    return planned.problems


def test_a_claim_over_a_prompt_that_nobody_can_write_is_refused(experiment):
    said = "claims.as_well_as_words reads steer.mean_difference/plain prompt, which there will not"
    (problem,) = problems(experiment)
    assert problem.startswith(said) and "has no definition and no instruction" in problem
    with pytest.raises(SondeError, match=said):
        go(experiment, experiment.parent / "runs")
    assert not (experiment.parent / "runs").exists()


@pytest.mark.parametrize("given", ["definition", "instruction", "stage"])
def test_words_for_the_plain_prompt_make_the_claim_possible(experiment, given):
    trait, overrides = experiment.parent / "lively", ()
    if given == "definition":
        (trait / "definition.txt").write_text("The answer is lively.")
    elif given == "instruction":
        steering = {"questions": ["One?", "Two?"], "instruction": "Be lively."}
        (trait / "steering.json").write_text(json.dumps(steering))
    else:
        overrides = ("steer.instruction=Be lively.",)
    assert problems(experiment, *overrides) == ()


def test_a_single_question_is_refused_before_anything_runs(experiment):
    (experiment.parent / "lively" / "steering.json").write_text('["What is rope?"]')
    said = "The trait lively has one question to steer on"
    assert any(said in problem for problem in problems(experiment, "claims={}"))
    with pytest.raises(SondeError, match=f"stages.steer: {said}"):
        go(experiment, experiment.parent / "runs", "claims={}")
    assert not (experiment.parent / "runs").exists()
