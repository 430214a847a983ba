"""Every lazily exported name is there, listed, and the same as in its home."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = ["sonde", "sonde.models", "sonde.activations", "sonde.probes"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_had(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= {*dir(module), *vars(module)}
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_the_package_alone_leaves_torch_out(package):
    code = f"import sys, {package}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
