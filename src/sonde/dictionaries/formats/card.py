"""The card of a published dictionary: what it is, of what, how it was checked, how to use it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonde import __version__
from sonde.core.words import in_words
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.artifact import Figure
from sonde.dictionaries.formats.content import Loaded
from sonde.dictionaries.formats.converting import Check
from sonde.dictionaries.formats.hub import Repository
from sonde.dictionaries.sparsity import BatchTopK, TopK

TAGS = ("sparse-dictionary", "interpretability", "sonde")
KINDS = {
    "relu": "ReLU",
    "topk": "TopK",
    "batch_topk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "Gated",
}


@dataclass(frozen=True, slots=True)
class Published:
    """What is published where: the format's name, the file's where it is one, what was measured.

    Without ``metrics`` the card has the held-out figures of the dictionary's own file.
    """

    repository: Repository
    format: str
    file: str = ""
    metrics: Mapping[str, float] | None = None


def card(loaded: Loaded, published: Published, checks: Sequence[Check]) -> str:
    """Write the card as Markdown, with the hub's header."""
    architecture, origin = loaded.architecture, loaded.origin
    title = f"{architecture.name} of {_public(origin.model) or 'a language model'}"
    known = (*loaded.notes, *(f"{one.name}: {one.words}." for one in loaded.faults))
    parts = [
        _header(loaded),
        f"# {title[0].upper()}{title[1:]}",
        _table([("what", "value")], _facts(architecture, loaded)),
        *_trained(loaded),
        *_measured(loaded, published),
        "## Checked",
        "The files were read again, run by the formula of their format, and held against that of "
        "the format they were made from. Worst row of each: the share of active latents in common "
        "(Jaccard), the cosine of the activations, and largest differences relative to a row's "
        "largest number.",
        _table([COLUMNS], [_check(one) for one in checks]),
        *([] if not known else ["## To know", *(f"- {note}" for note in known)]),
        "## Use",
        _use(published),
    ]
    return "\n\n".join(parts) + "\n"


COLUMNS = ("the dictionary", "rows", "Jaccard", "cosine", "activations", "reconstruction")


def _header(loaded: Loaded) -> str:
    model = loaded.origin.model
    base = [f"base_model: {model}"] if _on_hub(model) else []
    return "\n".join(
        ["---", "library_name: sonde", *base, "tags:", *(f"- {tag}" for tag in TAGS), "---"]
    )


def _facts(architecture: Architecture, loaded: Loaded) -> list[tuple[str, str]]:
    sparsity = architecture.sparsity
    k = f", k {sparsity.k}" if isinstance(sparsity, TopK | BatchTopK) else ""
    origin = loaded.origin
    facts = [
        ("model", f"{_public(origin.model)} {origin.revision}".strip()),
        ("reads", ", ".join(architecture.sources)),
        ("writes", ", ".join(architecture.outputs)),
        ("width", " → ".join(_widths(architecture))),
        ("latents", f"{architecture.d_sae:,}" + (" a layer" if architecture.cross_layer else "")),
        ("sparsity", KINDS[sparsity.kind] + k),
        ("Matryoshka prefixes", ", ".join(f"{one:,}" for one in architecture.prefixes[:-1])),
        ("skip", "affine" if architecture.skip else ""),
        ("rows are normalised", architecture.normalise.replace("none", "")),
        ("bias taken off the input", "yes" if architecture.takes_bias_off else "no"),
    ]
    return [(name, value) for name, value in facts if value]


def _widths(architecture: Architecture) -> list[str]:
    sides = [architecture.d_in]
    if not architecture.is_autoencoder:
        sides.append(architecture.widths_out)
    return [" + ".join(f"{width:,}" for width in side) for side in sides]


def _on_hub(model: str) -> bool:
    """Say whether a model's name is one of the hub's; a folder here of that name comes first."""
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model)) and not Path(model).is_dir()


def _public(name: str) -> str:
    """Leave of a path on this machine its last part alone."""
    return re.sub(r"^(random:)?[~/](?:.*/)?", r"\1", name.rstrip("/"))


def _trained(loaded: Loaded) -> list[str]:
    if not loaded.trained:
        return []
    said = {k: _public(one) if isinstance(one, str) else one for k, one in loaded.trained.items()}
    rows = [(name.replace("_", " "), in_words(one, name)) for name, one in said.items()]
    return ["## Trained", _table([("what", "value")], rows)]


def _measured(loaded: Loaded, published: Published) -> list[str]:
    given = published.metrics
    if given:
        rows = [(name, f"{value:.4g}") for name, value in given.items()]
        return ["## Measured", _table([("metric", "value")], rows)]
    if not loaded.metrics:
        return []
    columns = ("metric", "value", "interval", "level", "units")
    rows = [(name, *_figure(one)) for name, one in loaded.metrics.items()]
    said = "On texts that training did not see; units are what the intervals are drawn over."
    return ["## Measured", said, _table([columns], rows)]


def _figure(one: Figure) -> tuple[str, ...]:
    value = "undefined" if one.value is None else f"{one.value:.4g}"
    known = one.low is not None and one.high is not None
    interval = f"{one.low:.4g} to {one.high:.4g}" if known else ""
    return value, interval, f"{one.level:g}", f"{one.n:,}"


def _check(check: Check) -> tuple[str, ...]:
    found = check.found
    return (
        check.compared,
        f"{found.rows} {check.rows}",
        f"{found.jaccard:.3f}",
        f"{found.cosine:.6f}",
        f"{found.activations:.1e}",
        f"{found.targets:.1e}",
    )


def _table(header: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> str:
    columns = header[0]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(one) for one in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _use(published: Published) -> str:
    repository = published.repository
    name = f"hf:{repository.id}"
    inside = "/".join(part for part in (repository.inside, published.file) if part)
    path = f"{name}/{inside}" if inside else name
    ours = (
        "With sonde:\n\n```python\nfrom sonde.dictionaries.formats import read_dictionary\n\n"
        f'loaded = read_dictionary("{path}")\n'
        "found = loaded.dictionary(activations)  # [row, width], of each source\n"
        "found.latents, found.targets\n```"
    )
    if published.format != "saelens":
        return f"{ours}\n\nMade with sonde {__version__}."
    folder = repository.inside or "."
    theirs = (
        "With SAELens:\n\n```python\nfrom sae_lens import SAE\n\n"
        f'sae = SAE.from_pretrained("{repository.id}", "{folder}")\n```'
    )
    return f"{ours}\n\n{theirs}\n\nMade with sonde {__version__}."
