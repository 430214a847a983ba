"""What tests of ``sonde show`` share."""

import pytest

from sonde.cli.show import show_file


@pytest.fixture
def shown(capsys):
    """Show a file, and return what was printed."""

    def read(path):
        show_file(path)
        return capsys.readouterr().out

    return read
