"""The card of a published dictionary: what it is, of what, how it was checked, how to use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonde import __version__
from sonde.dictionaries.architecture import Architecture
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
    """What is published where: the format's name, the file's where it is one, what was measured."""

    repository: Repository
    format: str
    file: str = ""
    metrics: Mapping[str, float] | None = None


def card(loaded: Loaded, published: Published, checks: Sequence[Check]) -> str:
    """Write the card as Markdown, with the hub's header."""
    architecture, origin = loaded.architecture, loaded.origin
    title = f"{architecture.name} of {origin.model or 'a language model'}"
    parts = [
        _header(loaded),
        f"# {title[0].upper()}{title[1:]}",
        _table([("what", "value")], _facts(architecture, loaded)),
        *([] if not published.metrics else ["## Measured", _metrics(published.metrics)]),
        "## Checked",
        "The files were read again, run by the formula of their format, and held against that of "
        "the format they were made from. Worst row of each: the share of active latents in common "
        "(Jaccard), the cosine of the activations, and largest differences relative to a row's "
        "largest number.",
        _table([COLUMNS], [_check(one) for one in checks]),
        *([] if not loaded.notes else ["## To know", *(f"- {note}" for note in loaded.notes)]),
        "## Use",
        _use(published),
    ]
    return "\n\n".join(parts) + "\n"


COLUMNS = ("the dictionary", "rows", "Jaccard", "cosine", "activations", "reconstruction")


def _header(loaded: Loaded) -> str:
    model = loaded.origin.model
    base = [f"base_model: {model}"] if "/" in model else []
    return "\n".join(
        ["---", "library_name: sonde", *base, "tags:", *(f"- {tag}" for tag in TAGS), "---"]
    )


def _facts(architecture: Architecture, loaded: Loaded) -> list[tuple[str, str]]:
    sparsity = architecture.sparsity
    k = f", k {sparsity.k}" if isinstance(sparsity, TopK | BatchTopK) else ""
    origin = loaded.origin
    facts = [
        ("model", f"{origin.model} {origin.revision}".strip()),
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


def _metrics(metrics: Mapping[str, float]) -> str:
    return _table(
        [("metric", "value")], [(name, f"{value:.4g}") for name, value in metrics.items()]
    )


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
