"""Blocks steered at once and a gate, from the experiment file to the report."""

from html import unescape

import pytest
from tests.unit.experiments.test_steering_stages import file, go

from sonde.core.errors import SondeError
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.steer_gate import GateSettings, gate_made

__all__ = ["file"]

TRUTH = (
    "stages.truth={kind: probe, activations: acts, labels: answers, "
    "method: {folds: 3, penalties: [1.0], shuffles: 0, directions: 0, baseline: false}}"
)
SHORT = ("steer.compare=[mean_difference]", "steer.questions=3")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Where both runs go, so that the second reuses the first's vectors."""
    return tmp_path_factory.mktemp("runs")


def test_blocks_at_once_go_through_to_the_page(file, out, capsys):
    done = go(file, out, *SHORT, "steer.layers=[1, [1, 0]]").finished
    found = done["steer"].open()
    assert [one.where for one in found.vectors] == ["block 1", "blocks 0, 1"] * 2
    joint = found.vectors[1]
    massive = done["massive"].open()
    assert [one.typical_norm for one in joint.places] == [massive.typical_norm(at) for at in (0, 1)]
    best = done["steer"].summary["best"]["mean_difference"]
    assert best["layers"] in ([1], [0, 1])
    assert done["steer"].summary["best"]["unsteered"]["layers"] == []
    table = done["steer"].summary["table"]
    assert [row[1] for row in table["rows"][:2]] == ["–", "–"]
    read = done["monitor"].open()
    assert joint.name in read
    assert [one.name for one in read[joint.name].vectors] == [found.vectors[0].name,
                                                               joint.members[0]]  # fmt: skip
    page = done["page"].open().read_text()
    assert "mean difference, blocks 0, 1" in page


def test_a_gate_goes_through_to_the_page(file, out):
    gate = "steer.gate={probe: truth, at: 0, above: -1000}"
    done = go(file, out, *SHORT, TRUTH, gate, "steer.layers=[1]").finished
    found = done["steer"].open()
    probes = [one.probe for one in done["truth"].open().layers if one.hook.layer == 0]
    assert any(found.gate.gate.weight.tolist() == one.weight.double().tolist() for one in probes)
    assert found.gate.gate.threshold == -1000
    assert done["steer"].summary["gate"] == {"hook": "blocks.0.resid_post", "open": 1.0}
    page = unescape(done["page"].open().read_text())
    assert "where x · w + b > -1000 at blocks.0.resid_post: at 100.0% of" in page
    with pytest.raises(SondeError, match=r"block 5, and truth has probes of 0, 1\. .*Name one"):
        gate_made(
            GateSettings(probe="truth", at=5), done["truth"].open(), None, allow_other_model=False
        )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steer.layers=[0, [1, 2]]", "steer names block 2, which acts does not read"),
        ("steer.gate={probe: truth, at: 2}", "steer names block 2, which truth does not read"),
    ],
)
def test_a_plan_names_blocks_that_are_not_read(file, tmp_path, override, words):
    (planned,) = plan(read_specification(file, [TRUTH, override]), tmp_path, named_hardware(None))
    assert any(words in problem for problem in planned.problems)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["steer.layers=[[1, 1]]"], "an entry names a block twice"),
        (["steer.layers=[[]]"], "an entry is empty"),
        (["steer.gate={probe: vectors}"], r"steer\.gate\.probe names 'vectors', which gives vec"),
        ([TRUTH, "steer.gate={probe: truth, at: 1}", "steer.layers=[1, 0]"], "block 0 is steered"),
        ([TRUTH, "truth.method=mlp", "steer.gate={probe: truth}"], "whose kind is mlp"),
    ],
)
def test_what_can_be_known_is_refused_at_once(file, overrides, words):
    with pytest.raises(SondeError, match=words):
        read_specification(file, overrides)
