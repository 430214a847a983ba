"""What a dictionary stage leaves: dictionaries, samples, held-out scores, and what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.activations.row_batches import RowBatch
from sonde.core.files import sha256_file, write_json
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.artifact import (
    FILE,
    DictionaryHeader,
    load_dictionary,
    save_dictionary,
)
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.metrics_quality import Quality, quality_of
from sonde.dictionaries.samples.collecting import collect, of_training
from sonde.dictionaries.samples.files import load_samples, save_samples
from sonde.dictionaries.samples.found import DictionarySamples, SampledFrom
from sonde.dictionaries.training.course import Trained, dead_window
from sonde.evals.arms import DICTIONARY, LINEAR, UNTRAINED, dictionary_arm, hooks_of
from sonde.evals.reconstruction import comparisons
from sonde.experiments.dictionary_estimate import HELD
from sonde.experiments.stage import Context, Outcome
from sonde.experiments.stages.dictionary_counts import row_counts, rows_in_words
from sonde.experiments.stages.dictionary_source import Source
from sonde.experiments.stages.dictionary_told import SHOWN, figure_of, table_of, told_of
from sonde.ledger.records import Against, Measured
from sonde.ledger.units import write_scores
from sonde.stats.effects import interval_of

if TYPE_CHECKING:
    from sonde.experiments.stages.dictionary import DictionaryStage
    from sonde.stats.scores import Scores

ABOUT, HISTORY, SAMPLES = "about.json", "history.json", "samples"
WHILE_TRAINING = "samples_of_training"
UNITS = "held_out.parquet"
METRIC = "variance_explained"


@dataclass(frozen=True, slots=True)
class TrainedDictionaries:
    """The dictionaries in a stage's folder, by name."""

    folder: Path
    names: tuple[str, ...]
    corpus: CorpusSettings | None

    def file(self, name: str) -> Path:
        """Return the file of a dictionary."""
        return self.folder / name / FILE

    def history(self, name: str) -> Path:
        """Return the file of what was logged while a dictionary trained."""
        return self.folder / name / HISTORY

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

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: list[RowBatch] | None = None

    def __call__(self) -> Iterator[RowBatch]:
        """Yield the batches, the same each time."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[RowBatch] | None = []
        size = 0
        for batch in self._source.held_out():
            size += sum(x.numel() * x.element_size() for x in batch.tensors.values())
            kept = [*kept, batch] if kept is not None and size <= HELD else None
            yield batch
        self._kept = kept


def finish(
    stage: "DictionaryStage", context: Context, source: Source, trained: Mapping[str, Trained]
) -> Outcome:
    """Score dictionaries on held-out rows, save them with their samples, and say how they did."""
    held = HeldOut(source)
    context.say(f"{context.name}: scoring {', '.join(trained)} on held-out text.")
    scored = _scored(source, held, {name: one.dictionary for name, one in trained.items()})
    said = rows_in_words(row_counts(source.rows)["held_out"], "to score on")
    context.say(f"{context.name}: {said}")
    units: dict[str, Scores] = {}
    texts = source.texts()
    results: list[Measured] = []
    told: dict[str, Any] = {}
    for name, one in trained.items():
        results.extend(_measured(name, scored[name], units))
        folder, own = context.folder / name, scored[name][DICTIONARY]
        file = _saved(stage, context, source, folder, one, own)
        write_json(folder / HISTORY, list(one.history))
        if stage.samples is not None:
            context.say(f"{context.name}: looking at the latents of {name}.")
            where = SampledFrom(
                part="held-out", dictionary=name, sha256=sha256_file(file),
                model=source.origin.model,
                corpus=texts.fingerprint if texts is not None else "",
            )  # fmt: skip
            found = collect(
                one.dictionary, held, stage.samples, where, corpus=texts, model=source.model
            )
            save_samples(found, folder / SAMPLES)
            _save_samples_of_training(source, one, where, folder / WHILE_TRAINING)
        told[name] = told_of(one, own)
    write_scores(units, context.folder / UNITS)
    corpus = None
    if stage.corpus is not None:
        corpus = stage.located(context.base).model_dump(mode="json")
    write_json(context.folder / ABOUT, {"names": list(trained), "corpus": corpus})
    rows = source.rows.n_batches * source.rows.batch
    summary = {
        "table": table_of(told, stored=stage.corpus is None),
        "dictionaries": told,
        "rows": rows,
        "batch": source.rows.batch,
        "window": dead_window(stage.training, rows),
        **source.told(),
        "origin": source.origin.model_dump(mode="json"),
    }
    return Outcome(summary, tuple(results))


def _save_samples_of_training(
    source: Source, one: Trained, where: SampledFrom, folder: Path
) -> None:
    """Keep what was collected while training, with its texts where there are any."""
    if one.samples is None:
        return
    corpus = source.training_texts
    where = where.model_copy(
        update={"part": "training", "corpus": corpus.fingerprint if corpus is not None else ""}
    )
    found = of_training(one.samples, one.dictionary, where, corpus=corpus, model=source.model)
    save_samples(found, folder)


def _scored(
    source: Source, held: HeldOut, dictionaries: Mapping[str, Dictionary]
) -> dict[str, dict[str, Quality]]:
    """Measure every dictionary and what it is held against, in one pass over held-out rows."""
    fitted = source.rows.first_rows()  # that training began with, too
    arms = {
        name: (dictionary_arm(one), *comparisons(one, fitted, source.rows.settings.seed))
        for name, one in dictionaries.items()
    }
    sums = {name: {arm.name: arm.sums() for arm in several} for name, several in arms.items()}
    for batch in held():
        unit = source.unit_of(batch.token.cpu().numpy())
        for name, several in arms.items():
            sources, targets = hooks_of(dictionaries[name].architecture)
            there = [batch.tensors[hook] for hook in targets]
            for arm in several:
                for here, made in arm.pieces([batch.tensors[hook] for hook in sources]):
                    sums[name][arm.name].add(made, [y[here] for y in there], unit[here])
    return {
        name: {
            arm: quality_of(one, dictionaries[name].architecture.outputs, source.named)
            for arm, one in several.items()
        }
        for name, several in sums.items()
    }


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
    source: Source,
    folder: Path,
    one: Trained,
    found: Quality,
) -> Path:
    """Write the dictionary with all that its use needs."""
    training, shuffle = stage.with_seed(context.seed)
    return save_dictionary(
        one.dictionary,
        folder / FILE,
        source.origin,
        trained={
            "steps": one.steps,
            "rows": one.steps * source.rows.batch,
            **source.trained_on,
            "sink_ratio": shuffle.sink_ratio,
            "recipe": training.model_dump(mode="json"),
        },
        metrics={name: figure_of(found, name) for name in SHOWN},
    )
