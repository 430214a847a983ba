"""``sonde show`` of a dictionary's file, and of the samples of its latents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonde.cli.console import heading, say, table
from sonde.cli.show_latent import number, share, word
from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.core.words import in_words
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.artifact import FILE, DictionaryHeader, Figure, load_dictionary
from sonde.dictionaries.findings import Finding, faults
from sonde.dictionaries.samples import DictionarySamples, load_samples
from sonde.dictionaries.samples.browsing import SORTS, browse
from sonde.dictionaries.samples.files import ABOUT

SAMPLES = "samples"
SHOWN = 20  # latents in the table
NAMED = {
    "fires": "how often they fire",
    "mean": "mean activation where they fire",
    "largest": "largest activation",
    "diversity": "context diversity",
    "specialisation": "specialisation",
}
KINDS = {
    "relu": "ReLU, with an L1 penalty",
    "topk": "TopK",
    "batch_topk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "Gated",
}


@dataclass(frozen=True, slots=True)
class Browsing:
    """Which latents are asked for: one alone, or those that ``find`` leads to, by ``sort``."""

    latent: int | None = None
    find: str = ""
    sort: str = "fires"

    @property
    def asked(self) -> bool:
        """Whether anything of latents was asked for."""
        return self != Browsing()


def show_dictionary(path: Path, browsing: Browsing) -> None:
    """Print what a dictionary's file says of it, and its latents; or the latents asked for."""
    file = path / FILE if path.is_dir() else path
    folder = file.parent / SAMPLES
    samples = load_samples(folder) if (folder / ABOUT).is_file() else None
    if browsing.asked:
        _show_asked(samples, browsing, path, f"{folder} has no samples of latents.")
        return
    dictionary, header = load_dictionary(file)
    made, origin = header.architecture, header.origin
    count = made.d_sae * len(dictionary.parts)
    say(f"{header.name} with {count:,} latents, {_way(made)}")
    _facts((*_architecture(made), ("scaling", header.scaling), ("note", header.note)))
    heading("Made from")
    _facts(
        (
            ("model", origin.model),
            ("revision", origin.revision),
            ("weights", origin.model_fingerprint),
            ("blocks", str(origin.n_layers) if origin.n_layers else ""),
            ("dtype", origin.dtype),
            ("texts", origin.data_fingerprint),
            ("edits", origin.edits),
            *((name.replace("_", " "), in_words(it, name)) for name, it in header.trained.items()),
            ("written by", f"sonde {header.sonde_version}"),
        )
    )
    _scores(header)
    say_faults(faults(dictionary))
    if samples is not None:
        if samples.source.sha256 not in ("", sha256_file(file)):
            say(f"\nCaution: the samples in {folder} are of another file than this one.")
        _latents(samples, path)
    heading("To use it")
    say("  from sonde.dictionaries.artifact import load_dictionary")
    say(f"  dictionary, header = load_dictionary(Path({str(file)!r}))")


def _scores(header: DictionaryHeader) -> None:
    """Print the figures in the header, with their intervals."""
    if not header.metrics:
        return
    heading("On texts that training did not see")
    levels = {one.level for one in header.metrics.values()}
    percent = f"{100 * levels.pop():g} % interval" if len(levels) == 1 else "interval"
    rows = [
        (name.replace("_", " "), number(one.value), _between(one), f"{one.n:,}")
        for name, one in header.metrics.items()
    ]
    table(("", "value", percent, "units"), rows, numbers=3)


def say_faults(found: Sequence[Finding]) -> None:
    """Print what of a dictionary's weights needs a look, if anything does."""
    if found:
        heading("Weights that need a look")
        _facts((one.name, one.words) for one in found)


def _between(one: Figure) -> str:
    return "" if one.low is None else f"{number(one.low)} to {number(one.high)}"


def show_samples(path: Path, browsing: Browsing) -> None:
    """Print samples of a dictionary's latents that lie alone; or those of the latents asked for."""
    samples = load_samples(path)
    if browsing.asked:
        _show_asked(samples, browsing, path, "")
        return
    say(f"Samples of {len(samples):,} latents{_named(samples)}")
    _latents(samples, path)


def _show_asked(
    samples: DictionarySamples | None, browsing: Browsing, path: Path, missing: str
) -> None:
    from sonde.cli.show_latent import show_latent

    if samples is None:
        raise SondeError(
            missing,
            fix="Leave --latent, --find and --sort away, or collect samples: "
            "sonde.dictionaries.samples.",
        )
    if browsing.latent is not None:
        show_latent(samples, browsing.latent)
        return
    order = browse(samples, SHOWN, find=browsing.find, sort=browsing.sort)
    if not order:
        raise SondeError(
            f"No latent has {browsing.find!r} in its texts, tokens or logits.",
            fix="Look for fewer letters: texts are those of the samples alone.",
        )
    having = f" with {browsing.find!r}" if browsing.find else ""
    _list(samples, order, path, f"Latents{having}, by {NAMED[browsing.sort]}")


def _latents(samples: DictionarySamples, path: Path) -> None:
    counted = samples.accounting
    heading("Latents")
    part = "of training" if samples.source.part == "training" else "of the held-out part"
    _facts(
        (
            ("seen on", f"{counted.rows:,} tokens {part}"),
            ("fired above the threshold", f"{counted.sampled:,}"),
            ("fired only below it", f"{counted.faint:,}"),
            ("never fired", f"{counted.silent:,}"),
            ("samples", f"{counted.samples:,}, {counted.texts:,} of them with their text"),
        )
    )
    order = browse(samples, SHOWN)
    if order:
        _list(samples, order, path, f"The {len(order)} latents that fire most often")


def _list(samples: DictionarySamples, order: Sequence[int], path: Path, title: str) -> None:
    heading(title)
    table(
        ("latent", "fires on", "fires", "mean", "largest", "diversity", "specialisation"),
        [_line(samples, one) for one in order],
        numbers=5,
    )
    say(f"  sonde show {path} --latent {order[0]} shows one of them, with its texts")
    say("  --find WORDS looks for texts and tokens, --sort orders by " + ", ".join(SORTS))


def _line(samples: DictionarySamples, latent: int) -> tuple[str, ...]:
    facts = samples.latent(latent)
    return (
        str(latent),
        " ".join(word(one.text) for one in facts.tokens[:4]),
        share(facts.rate),
        number(facts.mean),
        number(facts.largest),
        number(facts.diversity),
        number(facts.specialisation),
    )


def _way(made: Architecture) -> str:
    read, written = in_words(made.sources), in_words(made.outputs)
    return f"of {read}" if made.is_autoencoder else f"from {read} to {written}"


def _architecture(made: Architecture) -> tuple[tuple[str, str], ...]:
    chosen = made.sparsity.model_dump(exclude={"kind"})
    widths = f"{in_words(made.d_in)} in, {in_words(made.widths_out)} out"
    return (
        ("sparsity", f"{KINDS[made.sparsity.kind]} ({in_words(chosen)})"),
        ("widths", widths),
        ("blocks of latents", f"{len(made.reaches)}, {made.d_sae:,} each" * made.cross_layer),
        ("nested", _nested(made)),
        ("skip", "an affine way around the latents" if made.skip else ""),
        ("centred", "the decoder's bias is taken off first" if made.takes_bias_off else ""),
        ("rows", "" if made.normalise == "none" else f"brought to one {made.normalise} first"),
    )


def _nested(made: Architecture) -> str:
    return f"the first {', '.join(f'{one:,}' for one in made.prefixes)}" if made.groups else ""


def _named(samples: DictionarySamples) -> str:
    return f" of {samples.source.dictionary}" if samples.source.dictionary else ""


def _facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print what is known; what is empty is left out."""
    table(("", ""), [(f"  {name}", said) for name, said in rows if said])
