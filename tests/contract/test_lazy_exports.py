"""Packages that import on first use: every name leads somewhere, and no module takes its place."""

import pkgutil
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

LAZY = (
    "sonde",
    "sonde.activations",
    "sonde.judges",
    "sonde.models",
    "sonde.probes",
    "sonde.vectors",
    "sonde.vectors.exports",
    "sonde.dictionaries",
    "sonde.dictionaries.samples",
    "sonde.dictionaries.training",
    "sonde.steering",
)
ELSEWHERE = ("triton",)  # libraries that only some machines have


@pytest.mark.parametrize("package", LAZY)
def test_every_exported_name_is_there_and_no_module_replaces_it(package):
    """See docs/decisions/0006: importing a module ``extract`` would hide the function."""
    module = import_module(package)
    before = {name: getattr(module, name) for name in module.__all__}
    assert set(dir(module)) >= set(module.__all__)
    for found in pkgutil.iter_modules(module.__path__):
        if found.name != "__main__":
            _imported(f"{package}.{found.name}")
    for name, value in before.items():
        assert getattr(module, name) is value
        # The packages of sonde itself are exported as such: sonde.probes.
        assert not isinstance(value, ModuleType) or value.__name__ == f"{package}.{name}"
        if isinstance(value, ModuleType):
            assert package == "sonde"


@pytest.mark.parametrize("package", LAZY)
def test_a_name_that_is_not_exported_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=r"has no attribute 'extarct'"):
        import_module(package).extarct  # noqa: B018


@pytest.mark.parametrize("module", [*LAZY, "sonde.activations.settings"])
def test_settings_are_read_without_torch(module):
    script = f"import sys, {module}; print('torch' in sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _imported(name):
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ELSEWHERE:
            raise
