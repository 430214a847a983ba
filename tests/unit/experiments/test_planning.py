import pytest

from sonde.core.errors import SondeError
from sonde.experiments import keys
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification

GATED = """\
  more:
    kind: probe
    activations: acts
    labels: sentences
    when: truth.selected.low > 1.5
  last:
    kind: probe
    activations: acts
    labels: sentences
    when: more.selected.low > 0
"""


def planned(path, out, *overrides):
    (found,) = plan(read_specification(path, overrides), out, named_hardware("h100"))
    return found, {stage.name: stage for stage in found.stages}


def gated(path):
    path.write_text(path.read_text() + GATED)
    return path


def test_a_stage_that_reads_a_gated_one_may_or_may_not_run(experiment, tmp_path):
    _, stages = planned(gated(experiment), tmp_path)
    assert {name: stage.does for name, stage in stages.items()} == {
        "sentences": "run", "acts": "run", "truth": "run", "more": "gate", "last": "gate",
    }  # fmt: skip


def test_a_plan_says_what_the_run_then_does(experiment, tmp_path):
    spec = read_specification(gated(experiment))
    options = Options(out=tmp_path, say=lambda _: None, progress=False)
    (report,) = run(spec, options)
    (found,) = plan(spec, tmp_path, named_hardware("h100"))
    assert [stage.name for stage in found.stages if stage.does == "skip"] == ["more", "last"]
    skipped = [stage.name for stage in report.stages if stage.state == "skipped"]
    assert skipped == ["more", "last"]
    assert {stage.does for stage in found.stages if stage.name not in skipped} == {"done"}


def test_a_gate_that_reads_nothing_names_its_stage(experiment, tmp_path):
    spec = read_specification(gated(experiment))
    run(spec, Options(out=tmp_path, say=lambda _: None, progress=False))
    with pytest.raises(SondeError, match=r"stages\.more\.when: .*'selected\.low'"):
        planned(experiment, tmp_path, "more.when='truth.slected.low > 1.5'")


def test_missing_weights_are_said_and_the_cost_is_still_known(experiment, tmp_path, monkeypatch):
    def absent(spec):
        raise SondeError("The weights are not here.")

    monkeypatch.setattr(keys, "model_identity", absent)
    found, stages = planned(experiment, tmp_path, "model=gemma-2-27b")
    assert found.problems == ("acts: The weights are not here.",)
    assert 54e9 < found.models["gemma-2-27b"].weights < 55e9  # 27.2e9 parameters in bfloat16
    assert stages["acts"].estimate.flops > 0
