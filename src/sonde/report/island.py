"""Data inside a page: JSON that can neither end its element nor run."""

import json
from typing import Any

from markupsafe import Markup

from sonde.core.files import jsonable

# `<` ends the element (`</script>`) or opens a comment (`<!--`), `>` closes one, `&` starts an
# entity in XHTML, and the two separators end a line in older JavaScript.
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_TABLE = str.maketrans(_ESCAPES)


def island(value: Any) -> Markup:
    """Return JSON for a ``<script type="application/json">`` element.

    NaN and infinities become null, and a lone surrogate, which UTF-8 cannot hold, its escape.
    """
    text = json.dumps(
        jsonable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).translate(_TABLE)
    return Markup(text.encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace"))  # noqa: S704
