"""What a stage's result answers: the same data, models and method, whatever else differs.

A stage is known by what its key was made of: ``made_of``, with the keys of its inputs. Its key
changes with the seed and with every setting; its question does not, so that results which make a
claim late are found under any name, seed or setting.
"""

from collections.abc import Mapping
from typing import Any, cast

from sonde.core.files import fingerprint
from sonde.ledger.lineage import DATA, Content, source_of, with_inputs

USUAL = {"prompt": ("prompt", "messages", "text"), "label": ("label",)}  # columns by their part
RANDOM = "random"  # the name of weights that nobody trained


def question_of(key: str, contents: Mapping[str, Content], *, same_rows: bool = False) -> str:
    """Return the hash of what the stage with a key asks; empty where that is not known.

    It is of the content of the data files with their column of texts and of labels and their
    ``where``, of the weights of every model but the random ones beside it, and of the kind of stage
    and of method. Names, seeds, layers, positions, folds and penalties are left out, and so is
    ``limit``, because the first examples are part of all: with ``same_rows`` it counts.

    Args:
        key: of the stage.
        contents: what it and everything before it was made of, by key.
        same_rows: whether less of the same data is other data, as it is for a smoke run.
    """
    try:
        before = list(with_inputs(key, contents))
        kind, method = contents[key]["kind"], _method(contents[key]["settings"])
        data = [_data(one, same_rows) for one in before if not one["inputs"]]
        weights = [one["model"]["weights"] for one in before if one["model"]]
    except (KeyError, TypeError, AttributeError):  # of a table, or of another version
        return ""
    trained = [one for one in weights if one.get("name") != RANDOM]
    asked = {
        "kind": kind,
        "method": method,
        "data": sorted({fingerprint(one) for one in data}),
        "models": sorted({fingerprint(one) for one in trained or weights}),
    }
    return fingerprint({**asked, "same_rows": same_rows})


def _method(settings: Mapping[str, Any]) -> Any:
    method = settings.get("method")
    return cast("Mapping[str, Any]", method).get("kind") if isinstance(method, Mapping) else method


def _data(content: Content, same_rows: bool) -> dict[str, Any]:
    """Return what is read: a file by its content, anything else by its settings."""
    settings: Mapping[str, Any] = content["settings"]
    if content["kind"] != DATA:
        return {"files": content["files"]} if content["files"] else dict(settings)
    columns: Mapping[str, str | None] = settings.get("columns") or {}
    named = {part: columns.get(part) or usual[0] for part, usual in USUAL.items()}
    return {
        "files": source_of(content),
        "columns": {part: "" if named[part] in USUAL[part] else named[part] for part in USUAL},
        "where": settings.get("where") or {},
        "limit": settings.get("limit") if same_rows else None,
    }
