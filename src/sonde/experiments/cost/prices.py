"""Prices: US dollars an hour by device, from a small table that the user can override."""

import os
from collections.abc import Iterable
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError, nearest
from sonde.experiments.hardware import DEVICES
from sonde.experiments.yaml_file import read_yaml

VARIABLE = "SONDE_PRICES"
TABLE = "prices.yaml"

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PriceFile(Config):
    """A file of prices, in US dollars an hour. What it leaves out keeps the price it had.

    ``devices`` are names of ``sonde plan --hardware``; ``others`` are GPUs that are not among
    them, by the name that ``sonde doctor`` shows. ``cpu`` is a machine without a GPU.
    """

    as_of: date | None = None
    cpu: Dollars | None = None
    devices: dict[str, Dollars] = Field(default_factory=dict[str, Dollars])
    others: dict[str, Dollars] = Field(default_factory=dict[str, Dollars])

    @field_validator("devices")
    @classmethod
    def _devices_are_known(cls, given: dict[str, float]) -> dict[str, float]:
        for name in given:
            if name not in DEVICES:
                hint = nearest(name, DEVICES) or f" Devices are {', '.join(DEVICES)}."
                raise ValueError(
                    f"there is no device {name!r}.{hint} Other GPUs go under `others`, by the name "
                    "that `sonde doctor` shows"
                )
        return given


class Prices(Config):
    """The prices that hold here. ``source`` names the user's file, empty without one."""

    cpu: float
    gpus: dict[str, float]
    as_of: date | None
    source: str = ""

    def hourly(self, gpus: Iterable[str]) -> float | None:
        """Return what an hour of a machine with these GPUs costs; None if one has no price."""
        prices = [self.gpus.get(name) for name in gpus]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices):
            return None
        return sum(known) if known else self.cpu


def load_prices() -> Prices:
    """Return the table that comes with sonde, with the user's own prices in place of its own.

    Raises:
        SondeError: the user's file is named and missing, or is not valid.
    """
    with as_file(files("sonde.experiments.cost") / TABLE) as path:
        own = _read(path)
    found = Prices(cpu=own.cpu or 0.0, gpus={**own.devices, **own.others}, as_of=own.as_of)
    path = user_file()
    if path is None:
        return found
    given = _read(path)
    return Prices(
        cpu=found.cpu if given.cpu is None else given.cpu,
        gpus={**found.gpus, **given.devices, **given.others},
        as_of=given.as_of or found.as_of,
        source=str(path),
    )


def user_file() -> Path | None:
    """Return the user's file of prices: ``$SONDE_PRICES``, or the one in the folder of settings.

    Raises:
        SondeError: ``$SONDE_PRICES`` names a file that is not there.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise SondeError(
                f"${VARIABLE} names {path}, which is not a file.",
                fix=f"Correct the path, or unset {VARIABLE}.",
            )
        return path
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    usual = Path(base).expanduser() / "sonde" / TABLE
    return usual if usual.is_file() else None


def _read(path: Path) -> PriceFile:
    file = read_yaml(path, "a file of prices")
    return validated(PriceFile, file.content, where=str(path), place=file.where)
