from tests.planted import planted_classes

from sonde.cli.show import show_file
from sonde.probes.eraser import fit_erasers


def test_an_erasers_file_tells_all_of_it(tmp_path, capsys):
    acts, label, _ = planted_classes()
    path = fit_erasers(acts, label)[1].save(tmp_path / "eraser.safetensors")
    show_file(path)
    said = capsys.readouterr().out
    for words in (
        "Eraser at blocks.1.resid_post, prompt[-1]",
        "least",
        "variance taken",
        "tiny",
        "80",
        "Eraser.load(",
    ):
        assert words in said
