"""The experiment file of docs/how-to/steering.md can be planned as it stands."""

import re
from pathlib import Path

from sonde.core.files import read_json
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.spec import read_specification
from sonde.judges import rule_of

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"


def block(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (HOW_TO / page).read_text("utf-8"), re.DOTALL)


def test_the_experiment_file_has_no_problem(tmp_path):
    (tmp_path / "lively.yaml").write_text(block("steering.md", "yaml")[0])
    (planned,) = plan(read_specification(tmp_path / "lively.yaml"), tmp_path, named_hardware(None))
    assert planned.problems == ()
    written = {stage.name: stage.estimate.tokens for stage in planned.stages}
    assert written["steer"] > written["responses"] > 0


TRUTH = (
    "stages:\n  truth: { kind: probe, activations: read, labels: responses, method: logistic }\n"
)


def test_every_judge_that_is_shown_is_valid(tmp_path):
    whole = block("steering.md", "yaml")[0].replace("stages:\n", TRUTH, 1)
    for number, judge in enumerate(block("judges.md", "yaml")):
        (tmp_path / f"{number}.yaml").write_text(
            whole.replace(
                "    trait: enthusiasm\n    compare:",
                "    trait: enthusiasm\n"
                + "".join(f"    {line}\n" for line in judge.splitlines())
                + "    compare:",
            )
        )
        stage = read_specification(tmp_path / f"{number}.yaml").variants[0].experiment
        assert stage.stages["steer"].judge.kind == ("rules", "server", "local", "probe")[number]


def test_the_rule_that_is_shown_is_valid(tmp_path):
    (tmp_path / "rule.json").write_text(block("judges.md", "json")[0])
    rule = rule_of(read_json(tmp_path / "rule.json"))
    assert rule.score("Thank you! Wonderful! Oh!") == 36 + 60 / 3 + 30
