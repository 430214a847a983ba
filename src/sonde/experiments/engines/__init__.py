"""Engines: where stages run. The local one runs them in this process."""
