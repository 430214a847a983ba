"""The command line. Heavy libraries are imported inside commands, so that help is instant."""

from sonde.cli.main import main

__all__ = ["main"]
