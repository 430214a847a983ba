"""What stages share that run a model: they may name one of their own."""

from typing import Any

from pydantic import Field, field_validator

from sonde.core.errors import SondeError
from sonde.experiments.stage import Stage
from sonde.models.spec import ModelSpec


class ModelStage(Stage):
    """A stage that runs a model: the experiment's, unless it names its own."""

    model: ModelSpec | None = Field(
        default=None, description="Another model than the experiment's, for this stage."
    )

    @field_validator("model", mode="before")
    @classmethod
    def _a_name_is_enough(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    def model_spec(self, default: ModelSpec | None) -> ModelSpec | None:
        """Return the stage's model, or the experiment's.

        Raises:
            SondeError: neither names one.
        """
        spec = self.model or default
        if spec is None:
            raise SondeError(
                "A stage needs a model, and the experiment names none.",
                fix="Write `model: smollm2-135m-instruct` at the top of the file.",
            )
        return spec
