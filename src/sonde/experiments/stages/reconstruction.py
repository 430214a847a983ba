"""``reconstruction``: dictionaries with their model on text that training never saw."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from sonde.core.errors import SondeError, nearest
from sonde.core.files import read_json, write_json
from sonde.data.corpus_settings import CorpusSettings
from sonde.data.read import HUB
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import (
    Context,
    Estimate,
    Outcome,
    Reference,
    Stage,
    resolved_path,
)
from sonde.experiments.stages.dictionary import DictionaryStage
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.dictionaries.dictionary import Dictionary
    from sonde.evals.reconstruction import Evaluated
    from sonde.experiments.facts import Facts
    from sonde.models.model import Model

FILE = "reconstruction.json"
METRICS = ("variance_explained", "ce_recovered", "ce_recovered_mean", "kl", "l0")
ALONE = "dictionary"  # what the one of a file is called
ARMS = 6  # passes with something in place: clean, two ablations, dictionary, untrained, linear


class ReconstructionStage(ModelStage):
    """Variance explained, cross-entropy recovered and KL, beside the untrained and a linear map."""

    kind: Literal["reconstruction"] = Field(
        default="reconstruction", description="What dictionaries reconstruct, and what it costs."
    )
    dictionary: str | None = Field(default=None, description="The stage that trained them.")
    only: tuple[str, ...] | None = Field(
        default=None, description="These of its dictionaries alone; all if not given."
    )
    file: str | None = Field(
        default=None,
        description="Instead of a stage: a file, a folder or a hub id (`hf:<owner>/<name>/…`) of a "
        "dictionary, in any format that is read.",
    )
    corpus: CorpusSettings | None = Field(
        default=None,
        description="The texts, whose held-out part is read; those of the stage if not given.",
    )
    tokens: int = Field(default=50_000, ge=2, description="Held-out tokens to read, at most.")
    loss_tokens: int = Field(
        default=20_000,
        ge=0,
        description="Of these, how many are read again with reconstructions in place; 0: none.",
    )
    fit_rows: int = Field(
        default=16_384,
        ge=1,
        description="Rows of the training part that the linear map is fitted on.",
    )
    sink_ratio: float | None = Field(
        default=10.0,
        gt=1,
        description="A row is a sink, and keeps its activations, from this many times the median "
        "norm; `null` replaces all but first tokens.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "reconstruction"
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_source(self) -> "ReconstructionStage":
        if (self.dictionary is None) == (self.file is None):
            raise ValueError("give `dictionary`, a stage, or `file`, and not both")
        if self.file is not None and self.corpus is None:
            raise ValueError("`file` needs a `corpus`: the texts that it is evaluated on")
        if self.only is not None and (self.file is not None or not self.only):
            raise ValueError("`only` names dictionaries of a stage, one at least")
        return self

    def inputs(self) -> tuple[Reference, ...]:
        """Return the stage of the dictionaries."""
        if self.dictionary is None:
            return ()
        return (Reference("dictionary", self.dictionary, ("dictionaries",)),)

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse to read the texts of a stage that has none."""
        trained = stages.get(self.dictionary or "")
        if isinstance(trained, DictionaryStage) and trained.corpus is None and self.corpus is None:
            raise SondeError(
                f"The dictionaries of {self.dictionary!r} were trained on stored activations, so "
                "there is no text to evaluate them on.",
                fix="Give `corpus`, the texts to read.",
            )

    def follows_model(self) -> str:
        """Return the stage of the dictionaries, whose model is read."""
        return self.dictionary or ""

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the dictionary's file, and the texts, where they are local."""
        found: dict[str, Path] = {}
        if self.file is not None and not self.file.startswith(HUB):
            found["file"] = resolved_path(self.file, base)
        if self.corpus is not None and self.corpus.local:
            found["corpus.texts"] = resolved_path(self.corpus.texts, base)
        return found

    @property
    def is_one(self) -> bool:
        """Whether there is one dictionary, whose results are named by their metrics alone."""
        return self.file is not None or (self.only is not None and len(self.only) == 1)

    def result_names(self) -> ResultNames:
        """Return the metrics, with the dictionary's name where there may be several."""
        if self.is_one:
            several = {"variance_explained": "hook point, of several targets"}
            return ResultNames(METRICS, against=("untrained", "linear map"), with_names=several)
        rest = "dictionary, and hook point of several targets"
        return ResultNames(
            against=("untrained", "linear map"), with_names=dict.fromkeys(METRICS, rest)
        )

    def estimate(self, facts: "Facts") -> Estimate:
        """Count passes to the end; those that only read activations stop earlier."""
        from sonde.experiments.facts import BATCH_TOKENS
        from sonde.experiments.identity import with_path
        from sonde.experiments.sizes import sizes_of

        planned = facts.planned
        spec = self.model or planned.experiment.model
        if spec is None:
            return Estimate(unknown="the experiment names no model")
        sizes = sizes_of(with_path(spec, planned.base), facts.dtype)
        corpus, trained = self.corpus, planned.experiment.stages.get(self.dictionary or "")
        count = 1
        if isinstance(trained, DictionaryStage):
            corpus = corpus or trained.corpus
            count = len(self.only or trained.dictionaries)
        if corpus is None:
            return Estimate(unknown="there is no corpus")
        context = corpus.context
        held = min(self.tokens, corpus.held_out_tokens)
        read = held + ARMS * min(held, self.loss_tokens) + self.fit_rows
        return Estimate(
            flops=count * read / context * sizes.flops(context, sizes.n_layers),
            traffic=float(count * -(-read // BATCH_TOKENS) * sizes.block_bytes * sizes.n_layers),
            memory=sizes.pass_bytes(BATCH_TOKENS, 2),
            tokens=count * read,
            basis=f"at most {held:,} held-out tokens, {min(held, self.loss_tokens):,} of them "
            f"{ARMS} times, and {self.fit_rows:,} for the linear map"
            + (f"; for each of {count} dictionaries" if count > 1 else ""),
        )

    def run(self, context: Context) -> Outcome:
        """Evaluate every dictionary."""
        from sonde.experiments.stages.reconstruction_results import told

        model = context.load_model()
        found: dict[str, Evaluated] = {}
        said: dict[str, str] = {}
        for one in self._dictionaries(context, model):
            context.say(f"{context.name}: evaluating {one.name} on held-out text.")
            found[one.name], said[one.name] = self._evaluated(context, model, one)
        outcome = told(found, said, context.folder, alone=self.is_one)
        write_json(context.folder / FILE, outcome.summary)
        return outcome

    def open(self, folder: Path) -> dict[str, Any]:
        """Return the summary."""
        return read_json(folder / FILE)

    def _dictionaries(self, context: Context, model: "Model") -> "Iterator[_One]":
        """Yield the dictionaries with the texts to read.

        Raises:
            SondeError: a name is unknown, or a file cannot be read.
        """
        files = self.files(context.base)
        own = self.corpus
        if own is not None and "corpus.texts" in files:
            own = own.model_copy(update={"texts": str(files["corpus.texts"])})
        if self.file is not None:
            from sonde.dictionaries.formats import read_dictionary

            loaded = read_dictionary(str(files.get("file", self.file)))
            for note in loaded.notes:
                context.say(note)
            assert own is not None
            yield _One(ALONE, loaded.dictionary.to(model.device), own)
            return
        assert self.dictionary is not None
        trained = context.open(self.dictionary)
        for name in self.only or trained.names:
            if name not in trained.names:
                raise SondeError(
                    f"stages.{context.name}.only names {name!r}, which {self.dictionary} did not "
                    f"train.{nearest(name, trained.names)}",
                    fix=f"It trained {', '.join(trained.names)}.",
                )
            dictionary, _ = trained.dictionary(name)
            corpus = own or trained.corpus
            assert corpus is not None, "checked before anything runs"
            yield _One(name, dictionary.to(model.device), corpus)

    def _evaluated(self, context: Context, model: "Model", one: "_One") -> "tuple[Evaluated, str]":
        """Return what a dictionary does, and what seems wrong with it in words."""
        from sonde.evals.diagnosis import diagnose
        from sonde.evals.reconstruction import comparisons, evaluate, rows_to_fit
        from sonde.evals.texts import corpus_part, held_out_part
        from sonde.models.corpus_tokens import token_corpus

        corpus = token_corpus(model.tokenizer, one.corpus)
        held = held_out_part(corpus, self.tokens)
        fitted = corpus_part(corpus, 2 * self.fit_rows)
        rows = rows_to_fit(model, fitted, one.dictionary, self.fit_rows, self.sink_ratio)
        found = evaluate(
            model,
            one.dictionary,
            held,
            others=comparisons(one.dictionary, rows, context.seed),
            loss_tokens=self.loss_tokens,
            sink_ratio=self.sink_ratio,
        )
        if self.file is None:
            return found, ""
        diagnosis = diagnose(one.dictionary, model, held)
        looks = [f"{item.name}: {item.words}." for item in diagnosis.findings if not item.good]
        words = " ".join([*looks, *([diagnosis.cause] if diagnosis.cause else [])])
        if words:
            context.say(f"{context.name}: {words}")
        return found, words


@dataclass(frozen=True, slots=True)
class _One:
    """A dictionary, and the texts whose held-out part it is evaluated on."""

    name: str
    dictionary: "Dictionary"
    corpus: CorpusSettings
