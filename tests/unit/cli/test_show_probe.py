"""``sonde show probe.safetensors`` tells everything, whatever reads the activations."""

import json

import pytest
import torch
from safetensors.torch import save_file

from sonde.activations.origin import Origin
from sonde.cli.main import main
from sonde.core.hooks import parse_hook_point
from sonde.probes.artifact import header_of
from sonde.probes.attention_solver import AttentionReader
from sonde.probes.mlp_solver import MlpReader
from sonde.probes.probe import Probe
from sonde.probes.reader import Linear
from sonde.stats.interval import Interval

ORIGIN = Origin(
    model="tiny", revision="r7", model_fingerprint="f00d", n_layers=30, dtype="float32",
    template="chat", data_fingerprint="da7a", edits="blocks.3: add", sonde_version="0.0.9",
)  # fmt: skip
METRICS = {
    "auroc": Interval(0.9, 0.85, 0.94, 160),
    "shuffled labels": Interval(-0.01, -0.05, 0.03, 160),
}


def zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float64)


LINEAR = Linear(zeros(1, 4), zeros(1), zeros(4), zeros(4))
SEVERAL = Linear(zeros(3, 4), zeros(3), zeros(4), zeros(4))
MLP = MlpReader(zeros(8, 4), zeros(8), zeros(1, 8), zeros(1), zeros(4), zeros(4))
ATTENTION = AttentionReader(zeros(2, 4), zeros(1, 2, 4), zeros(1), zeros(4), zeros(4))


def probe(kind, reader, says, labels, penalty=100.0) -> Probe:
    return Probe(
        kind, parse_hook_point("blocks.12.resid_post"), "prompt[-1]", reader, says, labels,
        penalty, ORIGIN, METRICS, "abcd1234", 1320,
    )  # fmt: skip


@pytest.fixture
def show(tmp_path, capsys):
    """Save a probe, or take a file, and return what is printed of it."""

    def call(given):
        path = given if not isinstance(given, Probe) else given.save(tmp_path / "p.safetensors")
        with pytest.raises(SystemExit) as leaving:
            main(["show", str(path)])
        assert not leaving.value.code
        return " ".join(capsys.readouterr().out.split())

    return call


@pytest.mark.parametrize(
    ("kind", "reader", "says", "labels", "wanted"),
    [
        (
            "logistic", LINEAR, "logit", ("no", "yes"),
            ("the probability of 'yes', against 'no'", "linear (weight [1, 4], bias [1]"),
        ),
        (
            "ridge", SEVERAL, "number", ("latitude", "longitude", "height"),
            ("3 numbers", "targets latitude, longitude, height", "scikit-learn's alpha"),
        ),
        ("multinomial", SEVERAL, "logits", ("a", "b", "c"), ("each of 3 classes", "1 / C")),
        ("mass_mean", LINEAR, "score", ("no", "yes"), ("above 0 on the side of 'yes'",)),
        ("bradley_terry", LINEAR, "utility", (), ("a utility",)),
        ("mlp", MLP, "logit", ("no", "yes"), ("mlp (first [8, 4], inner [8], second [1, 8]",)),
        ("attention", ATTENTION, "logit", ("no", "yes"), ("it reads a text's tokens together",)),
    ],
)  # fmt: skip
def test_every_reader_tells_all(show, kind, reader, says, labels, wanted):
    said = show(probe(kind, reader, says, labels))
    assert f"{kind} probe of blocks.12.resid_post at prompt[-1]" in said
    for words in (
        *wanted, "model tiny", "revision r7", "weights f00d", "dtype float32", "of 30 blocks",
        "template chat", "edits blocks.3: add", "rows 1,320", "training data abcd1234",
        "texts da7a", "auroc 0.900 [0.850, 0.940] 160", "format 2",
        "against shuffled labels −0.010 [−0.050, 0.030] 160", "score [95 % interval]",
    ):  # fmt: skip
        assert words in said, words


def test_a_file_of_the_first_format_tells_what_it_was_written_by(show, tmp_path):
    header = header_of(probe("logistic", LINEAR, "logit", ("no", "yes"))).model_dump(mode="json")
    del header["reader"], header["says"]
    header |= {"format": 1, "sonde_version": "0.0.1"}
    tensors = {"weight": zeros(4), "bias": zeros(1), "mean": zeros(4), "scale": zeros(4) + 1}
    save_file(tensors, tmp_path / "old.safetensors", metadata={"sonde": json.dumps(header)})
    said = show(tmp_path / "old.safetensors")
    assert "format 1 sonde 0.0.1" in said
    assert "the probability of 'yes', against 'no'" in said and "weight [1, 4]" in said


def test_an_unscored_probe_says_so(show):
    bare = probe("ridge", LINEAR, "number", (), 0.0)
    said = show(Probe(**{name: getattr(bare, name) for name in bare.__slots__} | {"metrics": {}}))
    assert "It was not scored." in said
    assert "penalty none" in said and "says a number" in said
