"""What one call of ``run`` knows of costs: the machine, its prices, and what stages should take."""

from dataclasses import dataclass, field

from sonde.experiments.cost import Expected, Prices, load_prices
from sonde.experiments.cost.energy import counters
from sonde.experiments.cost.stopwatch import Machine
from sonde.experiments.engines.local import LocalEngine
from sonde.experiments.estimating import Estimator
from sonde.experiments.hardware import this_machine, visible_gpus
from sonde.experiments.spec import Planned


@dataclass(slots=True)
class Metering:
    """Looks at the machine once, when the first stage has to be run: a finished run costs nothing.

    Making it reads the prices, so that a mistake in the user's own file is said before anything
    runs.
    """

    prices: Prices = field(default_factory=load_prices)
    _machine: Machine | None = None
    _estimator: Estimator | None = None

    def machine(self) -> Machine:
        """Return what stopwatches need of the machine."""
        if self._machine is None:
            gpus = visible_gpus()
            self._machine = Machine(gpus, self.prices.hourly(gpus), counters())
        return self._machine

    def expected(self, name: str, planned: Planned, engine: LocalEngine) -> Expected:
        """Return what a stage is expected to take here, or why that is not known."""
        try:
            if self._estimator is None:
                self._estimator = Estimator.of(planned, this_machine(), self.prices)
            estimator = self._estimator.of_variant(planned)
        except (RuntimeError, OSError) as error:  # a machine that cannot be measured still runs
            return Expected(unknown=f"The machine was not measured: {error}")
        return estimator.attempt(name, loads=lambda model: not engine.holds(model))
