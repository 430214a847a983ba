"""What is written twice: over what is there, and from one of sonde's own files to another."""

from dataclasses import replace

import pytest
from tests.unit.dictionaries.formats.test_conversion import SAE, WRITTEN, again, source_of

from sonde.core.errors import SondeError
from sonde.dictionaries import Architecture, TopK
from sonde.dictionaries.artifact import Figure
from sonde.dictionaries.formats import format_called
from sonde.dictionaries.formats.converting import write_checked


@pytest.mark.parametrize("name", ["sonde", *WRITTEN])
def test_what_is_there_already_may_be_gone_on_with_if_it_is_the_same(tmp_path, name):
    source, target = source_of(Architecture(**SAE, sparsity=TopK(k=4))), format_called(name)
    out = tmp_path / ("layers.3.safetensors" if target.single_file else "layers.3")
    before = write_checked(source, target, out, resume=True)
    assert write_checked(source, target, out, resume=True) == before
    with pytest.raises(SondeError, match="is there already, and holds other than"):
        write_checked(source_of(source.loaded.architecture, 1), target, out, resume=True)
    if not target.single_file:
        (out / "more").write_text("")
        with pytest.raises(SondeError, match="is there already, and holds other than"):
            write_checked(source, target, out, resume=True)
    assert list(tmp_path.iterdir()) == [out]


def test_sondes_own_file_keeps_recipe_and_figures(tmp_path):
    figure = Figure(value=0.2, low=None, high=None, n=3, level=0.9)
    source = source_of(Architecture(**SAE, sparsity=TopK(k=4)))
    told = {"trained": {"recipe": {"rate": 0.1, "steps": [1, 2]}}, "metrics": {"fvu": figure}}
    source = replace(source, loaded=replace(source.loaded, **told))
    for path in (tmp_path / "one.safetensors", tmp_path / "two.safetensors"):
        write_checked(source, format_called("sonde"), path)
        source = again(path, "sonde")
        assert {"trained": source.loaded.trained, "metrics": source.loaded.metrics} == told
