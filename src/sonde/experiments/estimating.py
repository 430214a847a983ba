"""From what a stage counts of its work to what it is expected to take on some hardware."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sonde.core.errors import SondeError
from sonde.experiments.cost.cost import Expected
from sonde.experiments.cost.prices import Prices
from sonde.experiments.facts import Facts
from sonde.experiments.hardware import Hardware
from sonde.experiments.sizes import sizes_of
from sonde.experiments.spec import Planned
from sonde.experiments.stage import Estimate
from sonde.models.spec import ModelSpec

LOADED_A_SECOND = 5e8  # bytes of weights, from a disk that is not in the file cache
FIXED_SECONDS = 0.3  # of any stage: files are opened, tables written
PROCESS_BYTES = 600_000_000  # Python with torch, transformers and scikit-learn, nothing loaded


@dataclass(frozen=True, slots=True)
class Estimator:
    """Says what the stages of one variant will take."""

    facts: Facts
    hardware: Hardware
    prices: Prices

    @classmethod
    def of(cls, planned: Planned, hardware: Hardware, prices: Prices) -> "Estimator":
        """Return the estimator of a variant."""
        return cls(Facts(planned, hardware.dtype), hardware, prices)

    def of_variant(self, planned: Planned) -> "Estimator":
        """Return the estimator of another variant, which knows what this one found out."""
        return replace(self, facts=self.facts.of_variant(planned))

    def expected(self, estimate: Estimate, model: ModelSpec | None, *, loads: bool) -> Expected:
        """Return what a stage will take that counted its work; ``loads`` the model or not.

        Time is that of the roofline, and of what it does not describe. Energy is the board's full
        power for that time, so an upper bound; money is that of the machine for that time.
        """
        if estimate.unknown:
            return Expected(basis=estimate.basis, unknown=estimate.unknown)
        hardware = self.hardware
        seconds = FIXED_SECONDS + estimate.seconds
        seconds += hardware.seconds(estimate.flops, estimate.traffic)
        memory = estimate.memory
        if model is not None:
            try:
                sizes = sizes_of(model, hardware.dtype)
            except SondeError as error:
                return Expected(basis=estimate.basis, unknown=error.what)
            memory = max(sizes.peak_loading if loads else 0, sizes.weights + memory)
            seconds += sizes.weights / LOADED_A_SECOND if loads else 0.0
        hourly = self.prices.hourly(hardware.gpus)
        return Expected(
            seconds=seconds,
            memory=memory if hardware.gpus else memory + PROCESS_BYTES,
            disk=estimate.disk,
            joules=None if hardware.watts is None else hardware.watts * seconds,
            dollars=None if hourly is None else hourly * seconds / 3600,
            tokens=estimate.tokens,
            basis=estimate.basis,
        )

    def attempt(self, name: str, *, loads: Callable[[ModelSpec], bool]) -> Expected:
        """Return what a stage will take, or why that is not known. Never raises.

        A run can do without: whatever is wrong, the stage itself will say it better.
        """
        planned = self.facts.planned
        try:
            model = planned.model_of(name)
            estimate = planned.experiment.stages[name].estimate(self.facts)
            return self.expected(estimate, model, loads=model is not None and loads(model))
        except SondeError as error:
            return Expected(unknown=error.what)
        except Exception as error:  # a fault in an estimate is no reason to stop a run
            return Expected(unknown=f"{type(error).__name__}: {error}")
