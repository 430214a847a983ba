import pytest
import torch

from sonde.core.errors import SondeError
from sonde.experiments import hardware
from sonde.experiments.hardware import (
    ATTAINED,
    DEVICES,
    GIGA,
    describe_machine,
    named_hardware,
    package_versions,
    table_name,
    this_machine,
    visible_gpus,
)


def test_the_roofline_is_the_slower_of_arithmetic_and_memory():
    h100 = DEVICES["h100"]
    assert h100.flops == ATTAINED * 989e12
    assert h100.seconds(h100.flops, 0) == 1
    assert h100.seconds(h100.flops, 3 * h100.bandwidth) == 3


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_every_device_is_plausible(device):
    assert 1e12 < device.flops < 1e16
    assert 1e11 < device.bandwidth < 1e13
    assert 16 * GIGA <= device.memory <= 200 * GIGA
    assert device.dtype == ("float32" if device.name in ("v100", "t4") else "bfloat16")
    assert device.gpus == (device.name,)
    assert 50 <= device.watts <= 1200


def test_a_name_is_found_whatever_its_case():
    assert named_hardware("H100") is DEVICES["h100"]
    with pytest.raises(SondeError, match=r"'h10' is not known. Did you mean 'h100'"):
        named_hardware("h10")


@pytest.mark.parametrize(
    ("full", "gigabytes", "name"),
    [
        ("NVIDIA H200", 151, "h200"),
        ("NVIDIA H100 80GB HBM3", 85, "h100"),
        ("NVIDIA A100-SXM4-80GB", 85, "a100"),
        ("NVIDIA A100-SXM4-40GB", 42, "a100-40"),
        ("NVIDIA A10G", 24, "a10"),
        ("NVIDIA L4", 24, "l4"),
        ("NVIDIA L40S", 48, "l40s"),
        ("NVIDIA L40", 48, "NVIDIA L40"),
        ("Tesla V100-SXM2-32GB", 34, "v100"),
        ("Tesla T4", 16, "t4"),
        ("NVIDIA GeForce RTX 4090", 25, "rtx4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 17, "NVIDIA GeForce RTX 4090 Laptop GPU"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 11, "NVIDIA H100 80GB HBM3 MIG 1g.10gb"),
        ("NVIDIA GH200 480GB", 100, "NVIDIA GH200 480GB"),
    ],
)
def test_a_driver_s_name_in_the_table(full, gigabytes, name):
    assert table_name(full, gigabytes * GIGA) == name


def test_this_machine_is_measured_once():
    machine = this_machine()
    assert machine is this_machine() is named_hardware(None)
    assert machine.flops > 1e8
    assert machine.bandwidth > 1e8
    assert machine.gpus == visible_gpus()
    if not torch.cuda.is_available():
        assert machine.dtype == "float32"
        assert machine.watts is None
        assert machine.memory == hardware._memory()


def test_a_reader_learns_what_it_ran_on():
    found = describe_machine()
    assert found["cores"] >= 1
    assert found["memory"] > 1e8
    assert found["threads"] == torch.get_num_threads()
    assert len(found["gpus"]) == torch.cuda.device_count()
    versions = package_versions()
    assert versions["torch"] == torch.__version__
    assert set(versions) <= {"python", *hardware.PACKAGES}
