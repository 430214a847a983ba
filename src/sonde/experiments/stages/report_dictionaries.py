"""What a report shows of dictionaries: their texts, how they were trained, and their latents."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sonde.activations.origin import Origin
from sonde.core.files import read_json
from sonde.experiments.stage import Finished
from sonde.experiments.stages.dictionary import DictionaryStage
from sonde.experiments.stages.dictionary_counts import REASONS, UNKNOWN, Counts
from sonde.report import (
    Accounting,
    LatentBrowser,
    Loss,
    Section,
    Step,
    latents_section,
    training_from,
)
from sonde.report.wording import counted, listed
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.experiments.stages.dictionary_files import TrainedDictionaries

NAMED = 3  # dictionaries whose hook points stand under the title
FEWEST = 12  # latents of a dictionary that are shown, however many dictionaries there are
BROWSER = "What the latents are active on"
TRAINING = "Training"
DATA = "What became of the texts"
ROWS = "What became of the rows that were read"


def of_dictionaries(finished: Finished) -> list[Section]:
    """Account for the texts, draw each dictionary's training, and show its latents."""
    found: TrainedDictionaries = finished.open()
    drawn: list[Section] = [_accounting(finished), _of_rows(finished.summary)]
    for name in found.names:
        title = TRAINING if len(found.names) == 1 else f"{TRAINING} of {name}"
        curves = training_from(
            read_json(found.history(name)),
            held_out=_held_out(finished.summary["dictionaries"][name]),
            prefixes=finished.summary["dictionaries"][name]["prefixes"],
            batch=int(finished.summary["batch"]),
            window=int(finished.summary["window"]),
            title=title,
        )
        drawn += [curves] if curves is not None else []
    return [*drawn, *_browsers(found)]


def _browsers(found: "TrainedDictionaries") -> list[LatentBrowser]:
    """Show latents of each dictionary: together as many as the settings say, or ``FEWEST``."""
    browsers: list[LatentBrowser] = []
    for name in found.names:
        samples = found.samples(name)
        if samples is None or not samples.settings.show:
            continue
        most = samples.settings.show
        show = min(most, max(FEWEST, most // len(found.names)))
        title = BROWSER if len(found.names) == 1 else f"{BROWSER}: {name}"
        browser = latents_section(samples, show=show, title=title)
        browsers += [browser] if browser is not None else []
    return browsers


def _held_out(told: Mapping[str, Any]) -> dict[str, Interval]:
    """Return the held-out figures with their intervals; NaN where one is not known."""
    return {
        name: Interval(
            *(math.nan if one[end] is None else one[end] for end in ("value", "low", "high")),
            n=one["n"],
            level=one["level"],
        )
        for name, one in told["held_out"].items()
    }


def _accounting(finished: Finished) -> Accounting:
    told = finished.summary
    return _of_store(told) if "stored" in told else _of_texts(finished.stage, told)


def _of_texts(stage: object, told: Mapping[str, Any]) -> Accounting:
    """Follow documents from the texts to both parts; what gave no document stands beside."""
    assert isinstance(stage, DictionaryStage) and stage.corpus is not None
    documents, not_kept = told["documents"], told["documents"]["not_kept"]
    before = {name: count for name, count in told["left_out"].items() if name not in not_kept}
    losses = tuple(Loss(reason, number) for reason, number in not_kept.items())
    both = documents["train"] + documents["held_out"]
    return Accounting(
        (Step("read", documents["read"]), Step("tokenised", both, losses)),
        facts=(
            ("To train on", counted(documents["train"], "document")),
            ("Held out", counted(documents["held_out"], "document")),
            ("Rows trained on", f"{told['rows']:,}"),
            ("Held-out tokens", f"{told['held_out_tokens']:,}"),
            *((("Commit of the data set", told["commit"]),) if told["commit"] else ()),
            *((f"Not read: {reason}", f"{number:,}") for reason, number in before.items()),
        ),
        title=DATA,
        unit="document",
    )


def _of_store(told: Mapping[str, Any]) -> Accounting:
    """Follow the rows of a store to those that are trained on."""
    stored = told["stored"]
    without_first = stored["rows"] - stored["first"]
    return Accounting(
        (
            Step("stored", stored["rows"]),
            Step("of later tokens", without_first, (Loss("first tokens", stored["first"]),)),
            Step("to train on", stored["train"], (Loss("held out", stored["held_out"]),)),
        ),
        facts=(("Rows given in batches", f"{told['rows']:,}"),),
        title="What became of the stored rows",
        unit="row",
    )


def _of_rows(told: Mapping[str, Any]) -> Accounting:
    """Follow rows to train on from passes, or shards, to batches; held-out ones stand beside."""
    train, held = told["row_counts"]["train"], told["row_counts"]["held_out"]
    left = train["left_over"]
    facts = [
        ("Given twice", f"{train['repeated']:,}"),
        ("Held-out rows read", f"{held['read']:,}"),
        *((f"Held out, {one.reason}", f"{one.number:,}") for one in _left_out(held) if one.number),
        ("Held-out rows scored", f"{held['kept']:,}"),
    ]
    if train[UNKNOWN]:
        facts.append(("Earlier rounds whose counts are lost", f"{train[UNKNOWN]:,}"))
    return Accounting(
        (
            Step("read to train on", train["read"]),
            Step("kept", train["kept"], _left_out(train)),
            Step("given", train["kept"] - left, (Loss("left over in their rounds", left),)),
        ),
        facts=tuple(facts),
        title=ROWS,
        unit="row",
    )


def _left_out(counts: Counts) -> tuple[Loss, ...]:
    return tuple(Loss(name, counts[key]) for key, name in REASONS.items())


def dictionary_facts(there: Mapping[str, Finished]) -> tuple[tuple[str, str], ...]:
    """Return what stands under the title of an experiment that trains dictionaries."""
    for finished in there.values():
        if finished.stage.gives == "dictionaries":
            stage, told = finished.stage, finished.summary
            assert isinstance(stage, DictionaryStage)
            origin = dictionary_origin(finished)
            stored = stage.activations.stage if stage.activations is not None else ""
            held = (
                ("Held-out rows", f"{told['stored']['held_out']:,}")
                if stored
                else ("Held-out tokens", f"{told['held_out_tokens']:,}")
            )
            return (
                *((("Model", origin.model),) if origin.model else ()),
                ("Reads and writes", _hooks(stage)),
                ("Stored rows of" if stored else "Texts", stored or _texts(stage)),
                ("Rows", f"{told['rows']:,}"),
                held,
            )
    return ()


def dictionary_origin(finished: Finished) -> Origin:
    """Return where the activations come from that dictionaries were trained on."""
    return Origin.model_validate(finished.summary["origin"])


def _texts(stage: DictionaryStage) -> str:
    return "" if stage.corpus is None else stage.corpus.texts


def _hooks(stage: DictionaryStage) -> str:
    """Name the hook points, those of an SAE once: ``blocks.5.resid_mid to blocks.5.mlp_out``."""
    said = [
        _words(one.sources) + (f" to {_words(one.targets)}" if one.targets else "")
        for one in stage.dictionaries.values()
    ]
    said = list(dict.fromkeys(said))
    more = [f"{len(said) - NAMED} more"] if len(said) > NAMED else []
    return listed([*said[:NAMED], *more]) if more or len(said) < 2 else "; ".join(said)


def _words(hooks: Sequence[str]) -> str:
    return hooks[0] if len(hooks) == 1 else f"{hooks[0]} and {len(hooks) - 1} more"
