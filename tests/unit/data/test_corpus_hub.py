"""Data sets of the hub: which commit a revision stands for, and what the hub may answer instead."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from huggingface_hub import HfApi, errors

from sonde.core.errors import SondeError
from sonde.data import CorpusSettings
from sonde.data.corpus_hub import commit_of, is_on_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """The package that reads data sets, which is not asked to here."""
    module = ModuleType("datasets")
    module.__dict__["load_dataset"] = None
    monkeypatch.setitem(sys.modules, "datasets", module)


def settings(**given):
    return CorpusSettings(texts="hf:owner/texts", **given)


def test_a_revision_stands_for_the_commit_that_the_hub_names(monkeypatch):
    asked = []

    def answer(self, name, *, revision=None, timeout=None):
        asked.append((name, revision))
        return type("Info", (), {"sha": COMMIT})

    monkeypatch.setattr(HfApi, "dataset_info", answer)
    assert commit_of(settings()) == commit_of(settings(revision="v1")) == COMMIT
    assert asked == [("owner/texts", None), ("owner/texts", "v1")]


def test_a_commit_is_not_asked_for_and_without_a_network_it_is_needed():
    assert commit_of(settings(revision=COMMIT)) == COMMIT
    with pytest.raises(SondeError, match="At which commit hf:owner/texts is cannot be said"):
        commit_of(settings())


def refused(kind, status):
    return kind("no", response=SimpleNamespace(headers={}, request=None, status_code=status))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused(errors.GatedRepoError, 403), "is gated"),
        (refused(errors.RevisionNotFoundError, 404), "has no revision 'v9'"),
        (refused(errors.RepositoryNotFoundError, 404), "There is no data set 'owner/texts'"),
        (refused(errors.HfHubHTTPError, 503), "the hub did not answer"),
        (errors.HTTPError("no route"), r"the hub did not answer \(no route\)"),
    ],
)
def test_what_the_hub_refuses_is_named(monkeypatch, error, said):
    def refuse(self, *args, **rest):
        raise error

    monkeypatch.setattr(HfApi, "dataset_info", refuse)
    with pytest.raises(SondeError, match=said):
        commit_of(settings(revision="v9"))


def test_the_package_is_asked_for_before_the_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SondeError, match=r"pip install 'sonde\[datasets\]'"):
        commit_of(settings(revision=COMMIT))


def test_a_local_folder_has_no_commit(tmp_path):
    assert is_on_hub(settings())
    assert not is_on_hub(CorpusSettings(texts=f"hf:{tmp_path}"))
    assert not is_on_hub(CorpusSettings(texts=str(tmp_path)))
