"""In which data the rows of a stage were counted."""

import pytest

from sonde.ledger.lineage import numbering_of, with_inputs

COLUMNS = {"id": None, "group": None, "label": "mood"}


def data(file="f1", **columns):
    settings = {"columns": {**COLUMNS, **columns}, "path": "hf:x", "split": "train", "limit": None}
    files = {"path": file} if file else {}
    return {"kind": "data", "settings": settings, "files": files, "inputs": {}}


def probed(one, other=None):
    probe = {"kind": "probe", "settings": {}, "files": {}, "inputs": {"texts": "d", "more": "e"}}
    return {"d": one, "e": other or one, "p": probe}


def test_rows_are_counted_in_the_files_that_were_read():
    one = numbering_of("p", probed(data()))
    assert one == numbering_of("p", probed(data(), data())) != ""
    limited = data()
    limited["settings"]["limit"] = 5
    assert numbering_of("p", probed(limited, data(label="other"))) == one
    others = {
        numbering_of("p", probed(data("f2"))),
        numbering_of("p", probed(data("f1"), data("f2"))),
        numbering_of("p", probed(data(""))),
    }
    assert len({one, *others, ""}) == 5


@pytest.mark.parametrize(
    "contents",
    [
        probed(data(id="number")),
        probed(data(), data(group="pair")),
        {"p": {"kind": "import", "settings": {}, "files": {"path": "f"}, "inputs": {}}},
        {"p": {"kind": "probe", "settings": {}, "files": {}, "inputs": {"texts": "gone"}}},
        {"p": {}},
        {},
    ],
)
def test_where_ids_are_given_or_nothing_is_known_names_are_names(contents):
    assert numbering_of("p", contents) == ""


def test_what_comes_before_is_walked_once():
    assert [one["kind"] for one in with_inputs("p", probed(data()))] == ["probe", "data", "data"]
    assert len(list(with_inputs("d", probed(data())))) == 1
