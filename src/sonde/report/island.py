"""Data inside a page: JSON that can neither end its element nor run."""

import json
import re
from typing import Any

from markupsafe import Markup

from sonde.core.files import jsonable

# `<` ends the element (`</script>`) or opens a comment (`<!--`), `>` closes one, `&` starts an
# entity in XHTML, the two separators end a line in older JavaScript, and UTF-8 has no surrogates.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def island(value: Any) -> Markup:
    """Return JSON for a ``<script type="application/json">`` element; NaN becomes null."""
    text = json.dumps(jsonable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return Markup(escaped)  # noqa: S704
