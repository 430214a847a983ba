"""``sonde show`` and ``sonde verify`` of files for other tools, ours and theirs."""

import gguf
import numpy as np
import pytest
from tests.unit.vectors.made_vectors import made

from sonde.core.errors import SondeError
from sonde.experiments.results import identify, verify
from sonde.vectors.exports import FORMATS, export_vectors


def written(path, architecture, **tensors):
    writer = gguf.GGUFWriter(str(path), architecture)
    for name, values in tensors.items():
        writer.add_tensor(name.replace("_", "."), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_for_another_tool_says_what_it_is(tmp_path, shown, name):
    path = tmp_path / f"v{FORMATS[name].ending}"
    export_vectors((made(), made(layer=2)), path, to=name, coefficient=0.5)
    assert verify(path) == []
    said = shown(path)
    for words in (
        f"{FORMATS[name].tools}, 2 blocks",
        "a scale of 1 adds 0.5 typical norms",
        "is added to what block 1 returns",
        "mean_difference@response[:5].mean@blocks.2.resid_post",
        FORMATS[name].use[0].split("FILE")[0],
    ):
        assert words in said
    row = next(line.split() for line in said.splitlines() if line.startswith("2 "))
    assert row[2:] == ["0.5", "10", "5"]


def test_another_tools_file_is_shown_as_far_as_it_says(tmp_path, shown):
    path = written(tmp_path / "v.gguf", "controlvector", direction_3=np.full(4, 2, np.float32))
    said = shown(path)
    assert "another tool" in said and "the file does not say what its scale means" in said
    row = next(line.split() for line in said.splitlines() if line.startswith("3 "))
    assert row[2:] == ["–", "–", "4"]
    (problem,) = verify(path)
    assert "has no recorded hash" in problem


def test_files_that_are_none_are_named(tmp_path):
    model = written(tmp_path / "model.gguf", "llama", blk_0=np.ones(4, np.float32))
    with pytest.raises(SondeError, match=r"is a model, not a result.*sonde doctor --model"):
        identify(model)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUX" + bytes(40))
    assert "cannot be read as GGUF" in verify(broken)[0]
    empty = written(tmp_path / "empty.gguf", "controlvector")
    assert "holds no direction" in verify(empty)[0]
