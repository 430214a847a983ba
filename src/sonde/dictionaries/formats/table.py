"""The formats: one file each, and one line here."""

from sonde.core.errors import SondeError, nearest
from sonde.dictionaries.formats.circuit_tracer import CIRCUIT_TRACER
from sonde.dictionaries.formats.content import Format
from sonde.dictionaries.formats.dictionary_learning import DICTIONARY_LEARNING
from sonde.dictionaries.formats.gemma_scope import GEMMA_SCOPE
from sonde.dictionaries.formats.gemma_scope_2 import GEMMA_SCOPE_2
from sonde.dictionaries.formats.llama_scope import LLAMA_SCOPE
from sonde.dictionaries.formats.openai import OPENAI
from sonde.dictionaries.formats.saelens import SAELENS
from sonde.dictionaries.formats.sonde_files import SONDE
from sonde.dictionaries.formats.sparsify import SPARSIFY

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        SONDE,
        SAELENS,
        SPARSIFY,
        DICTIONARY_LEARNING,
        GEMMA_SCOPE,
        GEMMA_SCOPE_2,
        LLAMA_SCOPE,
        OPENAI,
        CIRCUIT_TRACER,
    )
}
WRITTEN = tuple(name for name, one in FORMATS.items() if one.make is not None)


def format_called(name: str, *, written: bool = False) -> Format:
    """Return a format by its name.

    Raises:
        SondeError: there is none of that name, or it is read and not written.
    """
    names = WRITTEN if written else tuple(FORMATS)
    if name not in names:
        what = "is read, not written" if name in FORMATS else "is not a format of dictionaries"
        raise SondeError(
            f"{name!r} {what}.{nearest(name, names)}", fix=f"Formats are {', '.join(names)}."
        )
    return FORMATS[name]
