"""Samples as a folder: latents.parquet, samples.parquet, and samples.json, which names both.

``samples.json`` is written last, with the hashes of the tables: a folder without it is unfinished.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sonde import __version__
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import read_json, sha256_file, write_atomic, write_json
from sonde.dictionaries.samples.found import Accounting, DictionarySamples, SampledFrom
from sonde.dictionaries.samples.settings import SampleSettings

if TYPE_CHECKING:
    import pyarrow as pa

ABOUT, LATENTS, SAMPLES = "samples.json", "latents.parquet", "samples.parquet"
ARTIFACT = "dictionary samples"
FORMAT = 1


class SamplesFile(Config):
    """What ``samples.json`` holds."""

    artifact: Literal["dictionary samples"]
    format: int
    sonde_version: str
    settings: SampleSettings
    source: SampledFrom
    accounting: Accounting
    files: dict[str, str]


def save_samples(found: DictionarySamples, folder: Path) -> Path:
    """Write the folder; return it."""
    for name, table in ((LATENTS, found.latents), (SAMPLES, found.samples)):
        _write(table, folder / name)
    about = SamplesFile(
        artifact=ARTIFACT,
        format=FORMAT,
        sonde_version=__version__,
        settings=found.settings,
        source=found.source,
        accounting=found.accounting,
        files={name: sha256_file(folder / name) for name in (LATENTS, SAMPLES)},
    )
    write_json(folder / ABOUT, about.model_dump(mode="json"))
    return folder


def load_samples(folder: Path) -> DictionarySamples:
    """Read the folder.

    Raises:
        SondeError: a file is missing, altered, or of a later format.
    """
    where = folder / ABOUT
    given = read_json(where)
    if not isinstance(given, dict) or given.get("artifact") != ARTIFACT:
        raise SondeError(
            f"{where} does not hold samples of a dictionary.", fix="Name a folder of samples."
        )
    if given.get("format") != FORMAT:
        raise SondeError(
            f"{where} has format {given.get('format')}; this sonde reads {FORMAT}.",
            fix=f"It was written by sonde {given.get('sonde_version')}; use that or a later one.",
        )
    about = validated(SamplesFile, given, where=str(where))
    latents, samples = (_read(folder, name, about.files.get(name)) for name in (LATENTS, SAMPLES))
    wanted = (about.accounting.latents, about.accounting.samples)
    if (latents.num_rows, samples.num_rows) != wanted:
        raise SondeError(
            f"{where} counts {wanted[0]:,} latents and {wanted[1]:,} samples, and the tables have "
            f"{latents.num_rows:,} and {samples.num_rows:,}.",
            fix="Copy the whole folder again.",
        )
    return DictionarySamples(about.settings, about.source, about.accounting, latents, samples)


def _write(table: "pa.Table", path: Path) -> None:
    import pyarrow.parquet as pq

    write_atomic(path, lambda aside: pq.write_table(table, aside, compression="zstd"))


def _read(folder: Path, name: str, expected: str | None) -> "pa.Table":
    import pyarrow.parquet as pq

    path = folder / name
    if not path.is_file():
        raise SondeError(f"{path} is missing.", fix="Copy the whole folder, or make it again.")
    if sha256_file(path) != expected:
        raise SondeError(
            f"{path} was altered: its hash is not the one in {ABOUT}.",
            fix="Copy the whole folder, or make it again.",
        )
    return pq.read_table(path)
