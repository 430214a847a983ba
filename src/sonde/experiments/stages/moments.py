"""``moments``: mean and spread of each class in one pass, and their difference, nothing stored."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from sonde.activations.settings import ExtractSettings
from sonde.core.files import write_atomic
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.with_model import ModelStage
from sonde.models.spec import ModelSpec

if TYPE_CHECKING:
    from sonde.activations.moments import ClassMoments
    from sonde.data.examples import Example
    from sonde.experiments.facts import Facts

FILE = "moments.safetensors"
DIFFERENCE = "difference"


class MomentsStage(ModelStage, ExtractSettings):
    """Take the moments of activations by label, and the difference of two classes' means."""

    kind: Literal["moments"] = Field(
        default="moments", description="Mean and spread of each class, and mean differences."
    )
    data: str = Field(description="The stage whose examples the model reads; labels are classes.")
    activations: str | None = Field(
        default=None, description="Take these activations instead of running the model."
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "moments"

    def inputs(self) -> tuple[Reference, ...]:
        """Return the data, and the activations if they are named."""
        data = Reference("data", self.data, ("examples",))
        if self.activations is None:
            return (data,)
        return data, Reference("activations", self.activations, ("activations",))

    def model_spec(self, default: ModelSpec | None) -> ModelSpec | None:
        """Return the model, unless activations are there already."""
        return super().model_spec(default) if self.activations is None else None

    def settings(self) -> ExtractSettings:
        """Return the settings that are those of an extraction."""
        return ExtractSettings.model_validate(
            self.model_dump(include=set(ExtractSettings.model_fields))
        )

    def reads(self) -> ExtractSettings | None:
        """Return where the stage reads the model, None where activations are there already."""
        return self if self.activations is None else None

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the forward pass."""
        if self.activations is not None:
            return Estimate(basis="reads stored activations once")
        return facts.extraction(self.data, self.settings(), self.model, kept=False)

    def run(self, context: Context) -> Outcome:
        """Go through the activations once; keep counts, means and variances."""
        from sonde.activations.moments import stream_moments

        examples: tuple[Example, ...] = context.open(self.data)
        labels = {example.id: example.label for example in examples if example.label is not None}
        found = stream_moments(self._batches(context, examples), labels or None)
        tensors = _tensors(found)
        _save(tensors, context.folder / FILE)
        return Outcome(_summary(found, tensors))

    def open(self, folder: Path) -> dict[str, Any]:
        """Return the tensors by name: ``<hook point>/<class>/mean`` and so on."""
        from safetensors import torch as files

        return cast("Any", files).load_file(folder / FILE)

    def _batches(self, context: Context, examples: "tuple[Example, ...]") -> Iterable[Any]:
        if self.activations is not None:
            return context.open(self.activations).batches()
        from sonde.activations.streaming import stream

        return stream(context.load_model(), examples, self.settings(), progress=context.progress)


def _tensors(found: "ClassMoments") -> dict[str, Any]:
    """Return float64 tensors by name; the difference is last minus first in sorted order."""
    import torch

    tensors: dict[str, Any] = {}
    for hook in found.hooks:
        by_class = dict(sorted(found.by_class[hook].items(), key=lambda item: str(item[0])))
        for label, moments in by_class.items():
            name = f"{hook}/{'all' if label is None else label}"
            tensors[f"{name}/count"] = torch.tensor([moments.count])
            tensors[f"{name}/mean"] = moments.mean.cpu().contiguous()
            tensors[f"{name}/variance"] = moments.variance.cpu().contiguous()
        if len(by_class) == 2:
            first, last = by_class.values()
            tensors[f"{hook}/{DIFFERENCE}"] = (last.mean - first.mean).cpu().contiguous()
    return tensors


def _save(tensors: dict[str, Any], path: Path) -> None:
    from safetensors import torch as files

    save_file = cast("Any", files).save_file
    write_atomic(path, lambda aside: save_file(tensors, aside))


def _summary(found: "ClassMoments", tensors: dict[str, Any]) -> dict[str, Any]:
    first = found.by_class[found.hooks[0]]
    norms = {
        str(hook): {"difference_norm": float(tensors[f"{hook}/{DIFFERENCE}"].norm())}
        for hook in found.hooks
        if f"{hook}/{DIFFERENCE}" in tensors
    }
    return {
        "rows": {str(label): moments.count for label, moments in first.items()},
        "unlabelled": found.unlabelled,
        "hook_points": norms,
    }
