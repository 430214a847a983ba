"""``export``: files for other tools, of vectors and of what a search found, in one small run."""

import json
from pathlib import Path

import pytest
from tests.unit.vectors.made_vectors import made

from sonde.cli.main import main
from sonde.core.errors import SondeError
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.results import verify
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.vectors import VectorSet
from sonde.vectors.exports import read_control_vector, read_export

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
EXPERIMENT = """\
name: carried
model: {name: random:llama, check: false}
stages:
  answers: {kind: responses, trait: lively, longest_window: 6, least_distinct: 0, least: 4}
  acts: {kind: extract, data: answers, layers: [1, 2], template: none, positions: 'response[:6]'}
  massive: {kind: massive_dimensions, data: answers, layers: [1, 2], template: none}
  vectors:
    {kind: vectors, activations: acts, labels: answers, massive: massive, trait: lively,
     methods: [mean_difference, random], folds: 2}
  steer:
    kind: steer
    vectors: vectors
    trait: lively
    compare: [mean_difference]
    layers: [2]
    search:
      {max_new_tokens: 3, points: 1, refinements: 0, room: 0, folds: 2, template: none,
       limit: {kind: perplexity, times: 50},
       screen: {questions: 1, tokens: 2, halvings: 1, lowest: 0.25, highest: 4}}
  both:
    {kind: export, vectors: vectors, format: easysteer, coefficient: 0.5,
     select: {method: mean_difference, layer: all}}
  found: {kind: export, vectors: vectors, steering: steer}
  page: {kind: report}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    base = tmp_path_factory.mktemp("carried")
    trait = base / "lively"
    trait.mkdir()
    things = ("bread", "rain", "a chair", "the sea")
    for side, words in (("positive", "Oh how I love {}! It is great!"), ("negative", "It is {}.")):
        rows = [{"prompt": f"About {it}?", "response": words.format(it)} for it in things]
        (trait / f"{side}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (trait / "steering.json").write_text(json.dumps(["What is rope?", "What is dew?"]))
    (trait / "rule.json").write_text(
        json.dumps({"base": 40, "patterns": [{"pattern": "great", "weight": 40}], "threshold": 50})
    )
    path = base / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module")
def ran(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    (report,) = run(read_specification(file), Options(out=out, say=lambda _: None, progress=False))
    return report.finished


def test_a_file_holds_the_vectors_that_were_selected(ran):
    done = ran["both"]
    assert done.summary["file"] == "both.gguf" and done.summary["format"] == "easysteer"
    assert done.summary["layers"] == [1, 2] and done.summary["coefficient"] == 0.5
    assert "a scale of 1 adds 0.5 typical norms" in done.summary["unit"]
    vectors = ran["vectors"].open().select(method="mean_difference")
    back = read_control_vector(done.folder / "both.gguf")
    assert back.names == vectors.names
    for one, direction in zip(vectors, done.open().directions, strict=True):
        assert direction.typical_norm == one.typical_norm
        assert direction.length == pytest.approx(0.5 * one.typical_norm, rel=1e-5)


def test_what_was_found_is_what_is_exported(ran):
    search, done = ran["steer"].open(), ran["found"]
    best = search.best().arm
    assert done.summary["vectors"] == [best.vector] and best.vector.startswith("mean_difference@")
    assert done.summary["coefficient"] == best.coefficient
    (direction,) = done.open().directions
    assert direction.layer == 2
    assert direction.length == pytest.approx(abs(best.raw), rel=1e-5)
    assert "lively changed by" in done.summary["notes"][0]


def test_the_report_and_verification_know_the_files(ran):
    page = ran["page"].open().read_text()
    assert "both.gguf: a control vector of EasySteer" in page
    assert verify(ran["found"].folder) == []
    path = ran["found"].folder / "found.gguf"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-4] + b"\x00\x00\x80\x3f")
        assert any("has changed since" in one for one in verify(ran["found"].folder))
        with pytest.raises(SondeError, match="was altered"):
            ran["found"].open()
    finally:
        path.write_bytes(whole)


def test_the_command_exports_a_result_by_its_folder(ran, tmp_path, capsys):
    for folder in (ran["steer"].folder, ran["steer"].folder.parent):
        out = tmp_path / "theirs.gguf"
        with pytest.raises(SystemExit) as ended:
            main(["export", str(folder), "--to", "gguf", "--out", str(out)])
        assert ended.value.code == 0
        assert read_export(out).directions == ran["found"].open().directions
        shown = capsys.readouterr().out
        assert "lively changed by" in shown and "direction.2 is added to what block 2" in shown
    with pytest.raises(SystemExit) as ended:
        main(["export", str(ran["vectors"].folder), "--to", "gguf", "--out", str(out)])
    assert ended.value.code == 2
    assert "method mean_difference, random" in capsys.readouterr().err


def test_a_search_whose_vectors_are_gone_says_so(ran, tmp_path, capsys):
    saved = ran["steer"].open().save(tmp_path / "search" / "steering")
    for source, words in ((saved, "and not its vectors"), (ran["page"].folder, "kind 'report'")):
        with pytest.raises(SystemExit):
            main(["export", str(source), "--to", "gguf", "--out", str(tmp_path / "v.gguf")])
        assert words in capsys.readouterr().err
    file = ran["vectors"].folder / "vectors.safetensors"
    away = file.rename(tmp_path / "away.safetensors")
    try:
        with pytest.raises(SystemExit):
            main(["export", str(ran["steer"].folder), "--to", "gguf", "--out", "v.gguf"])
        assert "Run the experiment again" in capsys.readouterr().err
    finally:
        away.rename(file)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("both.format=pickle", "gguf.*easysteer.*steering-vectors"),
        ("both.select={method: lda}", r"`select` names 'lda', which vectors does not make"),
        ("both.select={method: mean_difference, cleaning: all}", "mean_difference/all"),
        ("both.select={position: 'response[:9]'}", "which acts does not read.*It reads response"),
        ("both.select={methd: probe}", "Did you mean 'method'"),
        ("found.select={layer: 0}", "names block 0, for which llama.cpp has no place"),
        ("vectors.massive=null", "knows no typical norms"),
        ("found.steering=vectors", "gives vectors, not steering"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_runs(file, override, words):
    with pytest.raises(SondeError, match="(?s)" + words):
        read_specification(file, [override])


def test_the_stages_of_the_how_to_are_valid(tmp_path):
    texts = [(HOW_TO / f"{name}.md").read_text("utf-8") for name in ("steering", "export-vectors")]
    whole, added = (text.split("```yaml\n")[1].split("```")[0] for text in texts)
    (tmp_path / "lively.yaml").write_text(whole.replace("  steer:\n", f"{added}  steer:\n", 1))
    stages = read_specification(tmp_path / "lively.yaml").variants[0].experiment.stages
    assert stages["export"].steering == "steer" and stages["by_hand"].select.layer == "best"


def test_a_plan_names_blocks_that_are_not_read(file, tmp_path):
    spec = read_specification(file, ["both.select={method: mean_difference, layer: [1, 7]}"])
    (planned,) = plan(spec, tmp_path, named_hardware(None))
    assert any("names block 7, which acts does not read" in one for one in planned.problems)


def test_the_command_takes_files_of_vectors(tmp_path, capsys):
    one = made().save(tmp_path / "one.safetensors")
    many = VectorSet((made(), made(layer=2), made(cleaning="all"))).save(
        tmp_path / "set.safetensors"
    )

    def export(source, *options):
        with pytest.raises(SystemExit) as ended:
            main(["export", str(source), "--out", str(tmp_path / "v.gguf"), *options])
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    assert export(one, "--to", "gguf", "--coefficient", "2")[0] == 0
    assert read_export(tmp_path / "v.gguf").directions[0].coefficient == pytest.approx(2)
    assert export(many, "--to", "gguf", "--select", "cleaning=none,layer=1,2")[0] == 0
    assert [it.layer for it in read_export(tmp_path / "v.gguf").directions] == [1, 2]
    for options, words in (
        (("--to", "ggfu"), "'ggfu' is not a format for vectors. Did you mean 'gguf'"),
        (("--to", "gguf", "--unit", "length"), "'length' is not a unit for a file"),
        (("--to", "gguf", "--select", "probe"), "'probe' is not KEY=VALUE"),
        (("--to", "gguf", "--select", "methd=probe"), "Did you mean 'method'"),
        (("--to", "gguf", "--select", "layer=1", "--select", "layer=2"), "names layer twice"),
        (("--to", "gguf", "--select", "layer=one"), "--select is not valid"),
        (("--to", "gguf", "--coefficient", "0"), "adds nothing"),
    ):
        code, said = export(one, *options)
        assert code == 2 and words in said
    bare = made(typical_norm=None).save(tmp_path / "bare.safetensors")
    assert "export in the unit unit_length" in export(bare, "--to", "gguf")[1]
    assert export(bare, "--to", "gguf", "--unit", "unit_length")[0] == 0
