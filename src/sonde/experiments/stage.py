"""The stage protocol: settings that know their inputs, their cost, and how to run.

A stage kind is one file in ``stages/`` and one line in its table. Its settings are a pydantic
model, a subclass of ``Stage``; what it measured is an ``Outcome``; its files lie in the folder of
its context.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from sonde.core.base import Config
from sonde.core.errors import SondeError, nearest
from sonde.experiments.result_names import ResultNames
from sonde.ledger.records import Measured

if TYPE_CHECKING:
    from sonde.activations.settings import ExtractSettings
    from sonde.experiments.claims.judged import Judged
    from sonde.experiments.facts import Facts
    from sonde.models.loading import ModelSpec
    from sonde.models.model import Model

DONE = "done.json"


@dataclass(frozen=True, slots=True)
class Reference:
    """A setting that names another stage, and what that stage must give.

    Without an ``optional`` one a stage still runs: it does with what there is.
    """

    field: str
    stage: str
    wants: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage found: values that gates and tables can read, and results for the ledger.

    The summary holds JSON values only, and is the same whenever the stage is run again. ``held`` is
    what ``open`` would give, where making it again is dear and it is not stored: later stages of
    the same run are given that.
    """

    summary: Mapping[str, Any]
    results: tuple[Measured, ...] = ()
    held: Any = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stage will cost: floating point operations, bytes moved, bytes kept; 0 is little.

    ``seconds`` is for work that the roofline does not describe. ``memory`` is what is held besides
    the model. ``tokens`` are those that a model reads. ``basis`` says in words what was counted,
    and what was guessed; ``unknown`` says why nothing could be counted.
    """

    flops: float = 0.0
    traffic: float = 0.0
    memory: int = 0
    disk: int = 0
    seconds: float = 0.0
    tokens: int = 0
    basis: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A stage whose result is on disk."""

    name: str
    stage: "Stage"
    folder: Path
    key: str
    summary: Mapping[str, Any]
    skipped: str = ""  # why there is no result; empty where there is one
    held: Any = None  # the result itself, where it is in memory
    opened: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)

    def open(self) -> Any:
        """Read the stage's result; what is dear to read is read once."""
        if self.held is not None:
            return self.held
        if not self.stage.stays_open:
            return self.stage.open(self.folder)
        if self.name not in self.opened:
            self.opened[self.name] = self.stage.open(self.folder)
        return self.opened[self.name]

    def released(self) -> "Finished":
        """Return it without anything in memory."""
        return replace(self, held=None, opened={})


def _track_nothing(values: Mapping[str, float], step: int | None = None) -> None:
    """Follow no numbers."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage is given to run: its folder, its inputs, the model, the seed."""

    name: str
    folder: Path  # where its files go
    base: Path  # the folder of the experiment file: relative paths start here
    seed: int
    inputs: Mapping[str, Finished]  # by the name of the stage
    load_model: Callable[[], "Model"]  # of ``model``
    say: Callable[[str], None]
    experiment: Mapping[str, Any] = field(default_factory=dict[str, Any])
    claims: "tuple[Judged, ...]" = ()  # for stages that show them
    progress: bool = True
    model: "ModelSpec | None" = None
    # Numbers to follow while the stage runs, and the step they belong to: ``track(values, step)``.
    track: Callable[[Mapping[str, float], int | None], None] = _track_nothing

    def open(self, stage: str) -> Any:
        """Read the result of an input."""
        return self.inputs[stage].open()


class Stage(Config):
    """Settings of every stage.

    ``version`` changes when the same settings give another result, so that old results are not
    taken for new ones. ``gives`` is what other stages can read of it. ``resumes`` says that a
    half-made folder is continued rather than begun again. ``store`` is a folder of the result that
    has a manifest with checksums of its own. A ``light`` stage needs so little memory that the
    model stays loaded beside it. ``reads_texts`` are the experiment's texts that show up in the
    result. A stage that ``shows_claims`` runs once the claims of all variants are judged. The
    summary of one that ``has_table`` holds a ``table`` (title, columns, rows, note) for terminal
    and report. What one that ``stays_open`` gives is opened once in a run, for all that read it.
    """

    when: str | None = Field(
        default=None,
        description="Run only if this holds, such as `truth.selected.low > 0.6`.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = ""
    resumes: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = False
    store: ClassVar[str] = ""
    light: ClassVar[bool] = False
    reads_texts: ClassVar[tuple[str, ...]] = ()
    shows_claims: ClassVar[bool] = False
    has_table: ClassVar[bool] = False
    stays_open: ClassVar[bool] = False

    def inputs(self) -> tuple[Reference, ...]:
        """Return the stages that this one reads."""
        return ()

    def optional_inputs(self, names: Mapping[str, "Stage"]) -> tuple[str, ...]:
        """Return stages that are read if they have a result, and not missed otherwise."""
        return ()

    def check_inputs(self, stages: Mapping[str, "Stage"]) -> None:
        """Refuse to ask of the stages that it reads what, by their settings, they will not have.

        Raises:
            SondeError: it does.
        """

    def asked_layers(self, stages: Mapping[str, "Stage"]) -> Mapping[str, tuple[int, ...]]:
        """Return the blocks that it asks for by number, by the stage that reads the model."""
        return {}

    def result_names(self) -> ResultNames:
        """Return what will be measured; a stage without results has no names."""
        return ResultNames()

    def model_spec(self, default: "ModelSpec | None") -> "ModelSpec | None":
        """Return the model that this stage needs, or None."""
        return None

    def follows_model(self) -> str:
        """Return the stage whose model it takes, unless it names one; empty: the experiment's."""
        return ""

    def reads(self) -> "ExtractSettings | None":
        """Return where the stage reads the model, None if nowhere: checked before it is loaded."""
        return None

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the files that settings name, by setting: their content counts, not their path."""
        return {}

    def check_files(self, base: Path) -> None:
        """Refuse files whose content cannot serve: read at once, before any stage runs.

        Raises:
            SondeError: see above.
        """

    def absent_controls(self, base: Path) -> Mapping[str, str]:
        """Return controls and baselines that results will lack, by name, and why: as files say."""
        return {}

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what stands in the way of running, as sentences: a missing file, column, extra."""
        return tuple(
            f"{setting}: {path} does not exist."
            for setting, path in self.files(base).items()
            if not path.exists()
        )

    def estimate(self, facts: "Facts") -> Estimate:
        """Return what running will cost."""
        return Estimate()

    def run(self, context: Context) -> Outcome:
        """Make the result in ``context.folder``, and return what was found."""
        raise NotImplementedError(f"{type(self).__name__} does not run")

    def verify(self, folder: Path) -> list[str]:
        """Return what is wrong with the result beyond the hashes of its files."""
        return []

    def open(self, folder: Path) -> Any:
        """Read the result back."""
        return folder


def resolved_path(text: str, base: Path) -> Path:
    """Return a path of the experiment file: absolute, in the home folder, or beside the file."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else base / path


# Labels are named beside activations, except where a token task has them.
_HINTS = {
    ("activations", "activations with labels"): "Name the stage of the labels: `labels: <stage>`. ",
    ("activations with labels", "activations"): "Leave `labels` out: these rows have their own. ",
}


def named_stage(names: Mapping[str, Stage], reference: Reference, owner: str) -> Stage:
    """Return the stage that a reference names.

    Raises:
        SondeError: there is no such stage, or it gives something else.
    """
    place = f"stages.{owner}.{reference.field}"
    fitting = [name for name, stage in names.items() if stage.gives in reference.wants]
    wanted = " or ".join(reference.wants)
    if reference.stage not in names:
        raise SondeError(
            f"{place} names {reference.stage!r}, which is not a stage."
            f"{nearest(reference.stage, fitting or names)}",
            fix=f"Stages that give {wanted}: {', '.join(fitting) or 'none'}.",
        )
    found = names[reference.stage]
    if found.gives not in reference.wants:
        raise SondeError(
            f"{place} names {reference.stage!r}, which gives {found.gives}, not {wanted}.",
            fix=_HINTS.get((found.gives, wanted), "")
            + f"Stages that give {wanted}: {', '.join(fitting) or 'none'}.",
        )
    return found
