"""What a dictionary stage leaves: dictionaries, samples, held-out scores, and what they say."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled import CorpusRows
from sonde.core.files import sha256_file, write_json
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.artifact import (
    DictionaryHeader,
    Figure,
    load_dictionary,
    save_dictionary,
)
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.metrics_quality import Quality, quality_of
from sonde.dictionaries.samples.collecting import collect
from sonde.dictionaries.samples.files import load_samples, save_samples
from sonde.dictionaries.samples.found import DictionarySamples, SampledFrom
from sonde.dictionaries.training.course import Trained
from sonde.evals.arms import DICTIONARY, LINEAR, UNTRAINED, dictionary_arm, hooks_of
from sonde.evals.reconstruction import comparisons
from sonde.experiments.stage import Context, Outcome
from sonde.ledger.records import Against, Measured
from sonde.ledger.units import write_scores
from sonde.stats.effects import interval_of

if TYPE_CHECKING:
    from sonde.experiments.stages.dictionary import DictionaryStage
    from sonde.stats.scores import Scores

ABOUT, HISTORY, FILE, SAMPLES = "about.json", "history.json", "dictionary.safetensors", "samples"
UNITS = "held_out.parquet"
METRIC = "variance_explained"
SHOWN = ("variance_explained", "fvu", "l0", "norm_ratio", "cosine")
HELD = 1 << 30  # bytes of held-out rows that are kept rather than computed again
FITTED = 16_384  # training rows that the linear map is fitted on


@dataclass(frozen=True, slots=True)
class TrainedDictionaries:
    """The dictionaries in a stage's folder, by name."""

    folder: Path
    names: tuple[str, ...]
    corpus: CorpusSettings

    def file(self, name: str) -> Path:
        """Return the file of a dictionary."""
        return self.folder / name / FILE

    def dictionary(self, name: str) -> tuple[Dictionary, DictionaryHeader]:
        """Read a dictionary and what its file says of it.

        Raises:
            SondeError: the file is missing or damaged.
        """
        return load_dictionary(self.file(name))

    def samples(self, name: str) -> DictionarySamples | None:
        """Read the samples of a dictionary's latents, if any were kept."""
        folder = self.folder / name / SAMPLES
        return load_samples(folder) if folder.is_dir() else None


class HeldOut:
    """The held-out rows, computed once where they fit into ``HELD`` bytes."""

    def __init__(self, rows: CorpusRows) -> None:
        self._rows = rows
        self._kept: list[RowBatch] | None = None

    def __call__(self) -> Iterator[RowBatch]:
        """Yield the batches, the same each time."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[RowBatch] | None = []
        size = 0
        for batch in self._rows.held_out():
            size += sum(x.numel() * x.element_size() for x in batch.tensors.values())
            kept = [*kept, batch] if kept is not None and size <= HELD else None
            yield batch
        self._kept = kept


def finish(
    stage: "DictionaryStage", context: Context, rows: CorpusRows, trained: Mapping[str, Trained]
) -> Outcome:
    """Score dictionaries on held-out rows, save them with their samples, and say how they did."""
    held = HeldOut(rows)
    context.say(f"{context.name}: scoring {', '.join(trained)} on held-out text.")
    scored = _scored(rows, held, {name: one.dictionary for name, one in trained.items()})
    units: dict[str, Scores] = {}
    results: list[Measured] = []
    told: dict[str, Any] = {}
    for name, one in trained.items():
        results.extend(_measured(name, scored[name], units))
        folder, own = context.folder / name, scored[name][DICTIONARY]
        file = _saved(stage, context, rows, folder, one, own)
        write_json(folder / HISTORY, list(one.history))
        if stage.samples is not None:
            context.say(f"{context.name}: looking at the latents of {name}.")
            source = SampledFrom(
                part="held-out", dictionary=name, sha256=sha256_file(file),
                model=rows.model.info.name, corpus=rows.corpus.held_out.fingerprint,
            )  # fmt: skip
            found = collect(
                one.dictionary, held, stage.samples, source,
                corpus=rows.corpus.held_out, model=rows.model,
            )  # fmt: skip
            save_samples(found, folder / SAMPLES)
        told[name] = _told(one, own)
    write_scores(units, context.folder / UNITS)
    corpus = stage.located(context.base).model_dump(mode="json")
    write_json(context.folder / ABOUT, {"names": list(trained), "corpus": corpus})
    summary = {
        "table": _table(told),
        "dictionaries": told,
        "rows": rows.n_batches * rows.batch,
        "held_out_tokens": rows.corpus.held_out.n_chunks * rows.corpus.context,
        "left_out": dict(sorted(rows.corpus.left_out.items())),
    }
    return Outcome(summary, tuple(results))


def _scored(
    rows: CorpusRows, held: HeldOut, dictionaries: Mapping[str, Dictionary]
) -> dict[str, dict[str, Quality]]:
    """Measure every dictionary and what it is held against, in one pass over held-out rows."""
    fitted = _first_rows(rows)
    arms = {
        name: (dictionary_arm(one), *comparisons(one, fitted, rows.settings.seed))
        for name, one in dictionaries.items()
    }
    sums = {name: {arm.name: arm.sums() for arm in several} for name, several in arms.items()}
    for batch in held():
        unit = rows.corpus.held_out.documents_of(batch.token.cpu().numpy())
        for name, several in arms.items():
            sources, targets = hooks_of(dictionaries[name].architecture)
            there = [batch.tensors[hook] for hook in targets]
            for arm in several:
                for here, made in arm.pieces([batch.tensors[hook] for hook in sources]):
                    sums[name][arm.name].add(made, [y[here] for y in there], unit[here])
    return {
        name: {
            arm: quality_of(one, dictionaries[name].architecture.outputs)
            for arm, one in several.items()
        }
        for name, several in sums.items()
    }


def _first_rows(rows: CorpusRows) -> RowBatch:
    """Return rows of the training part, which the linear map and the untrained one start from."""
    found = list(islice(rows.batches(), max(1, -(-FITTED // rows.batch))))
    tensors = {hook: torch.cat([one.tensors[hook] for one in found]) for hook in rows.widths}
    return RowBatch(tensors, torch.cat([one.token for one in found]))


def _measured(
    name: str, scored: Mapping[str, Quality], units: "dict[str, Scores]"
) -> Iterator[Measured]:
    """Yield the variance explained of each target, beside the untrained and the linear one."""
    own = scored[DICTIONARY]
    for target, metrics in own.by_target.items():
        called = name if len(own.by_target) == 1 else f"{name} {target}"
        units[called] = metrics[METRIC]
        against: dict[str, Against] = {}
        for arm, label in ((UNTRAINED, "untrained"), (LINEAR, "linear map")):
            if arm in scored:
                other = scored[arm].by_target[target][METRIC]
                units[f"{called} {label}"] = other
                against[label] = Against(interval_of(other), (f"{called} {label}",))
        yield Measured(
            name=called,
            metric="ratio",
            score=interval_of(metrics[METRIC]),
            method=METRIC,
            controls={key: one for key, one in against.items() if key == "untrained"},
            baselines={key: one for key, one in against.items() if key != "untrained"},
            units=UNITS,
            series=called,
            note=f"{own.n_rows:,} held-out rows",
        )


def _saved(
    stage: "DictionaryStage",
    context: Context,
    rows: CorpusRows,
    folder: Path,
    one: Trained,
    found: Quality,
) -> Path:
    """Write the dictionary with all that its use needs."""
    training, shuffle = stage.with_seed(context.seed)
    info = rows.model.info
    origin = Origin(
        model=info.name, revision=info.revision, model_fingerprint=info.fingerprint,
        n_layers=info.n_layers, dtype=info.dtype, template="none",
        data_fingerprint=rows.corpus.fingerprint,
        hooks=tuple(str(hook) for hook in rows.hooks), positions=("all",),
        sonde_version=__version__,
    )  # fmt: skip
    return save_dictionary(
        one.dictionary,
        folder / FILE,
        origin,
        trained={
            "steps": one.steps,
            "rows": one.steps * rows.batch,
            "texts": stage.corpus.texts,
            "context": rows.corpus.context,
            "first_tokens_left_out": rows.first,
            "sink_ratio": shuffle.sink_ratio,
            "recipe": training.model_dump(mode="json"),
        },
        metrics={name: _figure(found, name) for name in SHOWN},
    )


def _figure(found: Quality, name: str) -> Figure:
    one = found.interval(name)
    known = {
        key: value if math.isfinite(value) else None
        for key, value in (("value", one.value), ("low", one.low), ("high", one.high))
    }
    return Figure(**known, n=one.n, level=one.level)


def _told(one: Trained, found: Quality) -> dict[str, Any]:
    """Return what gates and tables may ask of a dictionary."""
    figures = {name: found.interval(name) for name in SHOWN}
    count = len(found.fired)
    return {
        "kind": one.dictionary.architecture.name,
        "latents": count,
        **{name: one.value for name, one in figures.items()},
        "said": {name: str(one) for name, one in figures.items()},
        "fvu_by_prefix": _by_prefix(found),
        "dead": len(found.dead) / count,
        "dense": len(found.dense) / count,
        "steps": one.steps,
        "first": dict(one.history[0]) if one.history else {},
        "last": dict(one.history[-1]) if one.history else {},
    }


def _by_prefix(found: Quality) -> list[float]:
    names = [name for name in found.names if name.startswith("fvu_prefix_")]
    return [found.value(name) for name in names]


def _table(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": "Dictionaries, on text that training did not see",
        "columns": ["dictionary", "latents", "variance explained", "L0", "norm ratio", "dead"],
        "rows": [
            [
                f"{name} ({one['kind']})",
                f"{one['latents']:,}",
                one["said"]["variance_explained"],
                f"{one['l0']:.1f}",
                f"{one['norm_ratio']:.3f}",
                f"{one['dead']:.1%}",
            ]
            for name, one in told.items()
        ],
        "note": "Intervals are over documents. First tokens, separators and attention sinks are "
        "left out, as in training. Dead: active in none of the held-out rows; more text may show "
        "some of them.",
    }
