"""What a recipe needs of the machine is named, with the way out."""

import pytest
import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.training.machine import check_machine
from sonde.dictionaries.training.settings import Adam, Muon, Training

CPU, GPU = torch.device("cpu"), torch.device("cuda")
EIGHT = Training(optimiser=Adam(eight_bit=True))


def test_what_any_machine_can_do_is_not_refused(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    check_machine(Training(), CPU)
    check_machine(Training(compile=True), GPU)  # no code for a CPU is made


def test_eight_bits_need_a_gpu_and_their_library(monkeypatch):
    with pytest.raises(SondeError, match=r"8-bit moments need a GPU, and .* on cpu") as raised:
        check_machine(EIGHT, CPU)
    assert "eight_bit" in raised.value.fix
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SondeError, match="bitsandbytes") as raised:
        check_machine(EIGHT, GPU)
    assert "sonde[quantised]" in raised.value.fix
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    check_machine(EIGHT, GPU)


def test_a_torch_without_muon_is_named(monkeypatch):
    check_machine(Training(optimiser=Muon()), CPU)
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(SondeError, match="has no Muon"):
        check_machine(Training(optimiser=Muon()), CPU)


def test_without_a_compiler_the_way_out_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SondeError, match=r"g\+\+|clang"):
        check_machine(Training(compile=True), CPU)
    monkeypatch.setenv("CXX", "cpp-of-mine")
    with pytest.raises(SondeError, match="cpp-of-mine is not here"):
        check_machine(Training(compile=True), CPU)
