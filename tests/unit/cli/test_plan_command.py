import pytest

from sonde.cli.main import main

FILE = """\
name: large
model: random:gemma-2-27b
stages:
  texts: {kind: data, path: contrast_sentences, limit: 8}
  acts: {kind: extract, data: texts}
"""


@pytest.mark.parametrize(("hardware", "code"), [("h100", 0), ("l4", 1)])
def test_a_model_that_does_not_fit_stands_in_the_way(hardware, code, tmp_path, capsys):
    file = tmp_path / "large.yaml"
    file.write_text(FILE)
    with pytest.raises(SystemExit) as leaving:
        main(["plan", str(file), "--out", str(tmp_path), "--hardware", hardware])
    shown = capsys.readouterr().out
    assert leaving.value.code == code
    assert "54.5 GB of weights" in shown  # 27.2e9 parameters in bfloat16
    assert ("DOES NOT FIT" in shown) == ("quantise" in shown) == bool(code)
