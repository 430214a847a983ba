"""Which model a server says that it serves: a name that a user writes may come to stand for others.

A local server answers to any name, and the same address serves another model tomorrow. What it says
of its model at ``/models`` tells them apart, where it says enough.
"""

import json
from collections.abc import Mapping
from typing import Any

# Not ``created`` nor ``permission``, which llama.cpp and vLLM make anew for every request, and not
# how the server was started, which decides no score.
TELLING = ("id", "root", "parent", "owned_by", "meta", "fingerprint", "system_fingerprint")
OF_THE_START = ("n_ctx", "n_slots", "n_batch")


def served_model(read: bytes, name: str) -> Mapping[str, Any] | None:
    """Return what a list of models says of the one that answers to a name; None if nothing.

    That is the one whose id or alias is the name, or the only one of the list: such a server
    answers to every name.
    """
    try:
        listed = json.loads(read)["data"]
        found = [one for one in listed if isinstance(one, dict)]
    except (ValueError, TypeError, KeyError):
        return None
    named = [one for one in found if name in _names(one)]
    if not named and len(found) != 1:
        return None
    chosen = (named or found)[0]
    said = {key: chosen[key] for key in TELLING if chosen.get(key) is not None}
    if isinstance(said.get("meta"), dict):
        said["meta"] = {key: one for key, one in said["meta"].items() if key not in OF_THE_START}
    return said or None


def _names(model: Mapping[str, Any]) -> list[Any]:
    aliases = model.get("aliases")
    return [model.get("id"), *(aliases if isinstance(aliases, list) else ())]
