"""``sonde doctor --dictionary``: whether one can work, and is fed the right thing."""

import importlib.util
from pathlib import Path

from sonde.cli.console import console, heading, mark, say, table
from sonde.core.errors import SondeError

SHOWN = 6  # other ways to feed it
CHARACTERS = 4_000  # of each text that are read
TEXTS = 16


def check_dictionary(name: str, model_name: str | None, texts: Path | None) -> bool:
    """Print what was found of a dictionary, with a model where one is named; return if it is well.

    Raises:
        SondeError: the dictionary, the model or the texts cannot be read, or do not fit together.
    """
    from sonde.dictionaries.formats import read_dictionary
    from sonde.evals.diagnosis import diagnose
    from sonde.models import load

    heading(f"Dictionary {name}")
    loaded = read_dictionary(name)
    made = loaded.architecture
    say(f"{made.name}, {made.d_sae:,} latents, of {', '.join(made.sources)}")
    for note in loaded.notes:
        say(note)
    model = None if model_name is None else load(model_name)
    dictionary = loaded.dictionary if model is None else loaded.dictionary.to(model.device)
    found = diagnose(dictionary, model, [] if model is None else _texts(texts))
    table(
        ("check", "", "what was found"),
        [(one.name, "ok" if one.good else "LOOK", one.words) for one in found.findings],
    )
    if found.tried:
        say("Fed otherwise:")
        table(
            ("what is changed", "variance explained", "L0"),
            [
                (f"{one.kind}: {one.words}", f"{one.variance_explained:.2f}", f"{one.l0:.1f}")
                for one in found.tried[:SHOWN]
            ],
        )
    console.print(f"{mark(found.good)}: ", end="")
    say(found.cause or _verdict(found.good, model is not None))
    return found.good


def _verdict(good: bool, with_model: bool) -> str:
    if not good:
        return "something needs a look; no single change of what it is fed does much better"
    return "nothing seems wrong" if with_model else "its weights are well; name its --model too"


def _texts(folder: Path | None) -> list[str]:
    from sonde.data.text_folders import read_texts_of

    chosen = folder if folder is not None else _asyncio()
    found = [one.text[:CHARACTERS] for one in read_texts_of(chosen).documents]
    return sorted(found, key=len, reverse=True)[:TEXTS]


def _asyncio() -> Path:
    """Return texts that every machine has: documentation strings of one of Python's own folders."""
    spec = importlib.util.find_spec("asyncio")
    if spec is None or spec.origin is None:
        raise SondeError(
            "This Python has no folder asyncio, whose documentation would be read.",
            fix="Name a folder of texts with --texts.",
        )
    return Path(spec.origin).parent
