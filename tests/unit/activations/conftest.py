"""The tiny model and examples that these tests share."""

import pytest
from tiny_runs import sentences, tiny_model

from sonde.data.examples import Example
from sonde.models.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="session")
def data() -> list[Example]:
    return sentences(40)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What runs learn about memory goes into a folder of the test's own."""
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
