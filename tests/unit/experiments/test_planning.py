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


def test_missing_weights_are_said_and_the_cost_is_still_known(experiment, tmp_path, monkeypatch):
    def absent(spec):
        raise SondeError("The weights are not here.")

    monkeypatch.setattr(keys, "model_identity", absent)
    found, stages = planned(experiment, tmp_path, "model=gemma-2-27b")
    assert found.problems == ("acts: The weights are not here.",)
    assert 54e9 < found.models["gemma-2-27b"].weights < 55e9  # 27.2e9 parameters in bfloat16
    assert stages["acts"].estimate.flops > 0
    assert (stages["acts"].note, stages["sentences"].note) == ("", "")
    assert stages["truth"].note == "once acts can run"


def test_a_bad_gate_is_a_problem_of_its_stage_and_the_rest_is_planned(experiment, tmp_path):
    spec = read_specification(gated(experiment))
    run(spec, Options(out=tmp_path, say=lambda _: None, progress=False))
    found, stages = planned(experiment, tmp_path, "more.when='truth.slected.low > 1.5'")
    assert [stage.name for stage in found.stages] == list(stages)
    (problem,) = stages["more"].problems
    assert problem.startswith("more: stages.more.when: truth.slected.low")
    assert "'selected.low'" in problem
    assert found.problems == (problem,)
    assert stages["truth"].does == "done"
    assert stages["last"].does == "gate"


def test_a_model_whose_size_is_not_known_has_no_memory(experiment, tmp_path):
    found, stages = planned(experiment, tmp_path, "model=lab/absent")
    assert stages["acts"].expected.memory is None
    assert "'lab/absent' is not in the cache" in stages["acts"].expected.unknown
    assert stages["truth"].expected.unknown == stages["acts"].expected.unknown
    assert found.models == {}
    # The stage that needs the model is in the way; the probe on its activations is not.
    assert {problem.split(":")[0] for problem in found.problems} == {"acts"}


def test_a_layer_outside_the_model_is_a_problem(experiment, tmp_path):
    found, _ = planned(experiment, tmp_path, "acts.layers=9")
    assert len(found.problems) == 1
    assert "acts: layer 9 is outside the model, which has 3 blocks" in found.problems[0]


def test_what_a_model_takes_counts_once(experiment, tmp_path):
    more = "stages.again={kind: extract, data: sentences, layers: [0]}"
    _, stages = planned(experiment, tmp_path, "model=random:gemma-2-27b", more)
    assert stages["acts"].expected.seconds > 50  # 54 GB from a disk
    assert stages["again"].expected.seconds < 5
