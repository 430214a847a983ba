import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from planted import ORIGIN, activations, planted_classes, planted_numbers
from sonde import probes
from sonde.activations.activations import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.models.model import ModelInfo
from sonde.probes import Probe
from sonde.probes.reader import Linear
from sonde.stats.interval import Interval


def linear(weight, bias):
    weight = torch.as_tensor(weight, dtype=torch.float64)
    width = weight.shape[1]
    return Linear(
        weight,
        torch.as_tensor(bias, dtype=torch.float64),
        torch.zeros(width, dtype=torch.float64),
        torch.ones(width, dtype=torch.float64),
    )


def by_hand(**changes):
    fields = {
        "kind": "logistic",
        "hook": parse_hook_point("blocks.1.resid_post"),
        "position": "prompt[-1]",
        "reader": linear([[3.0, 4.0]], [-1.0]),
        "says": "logit",
        "labels": ("no", "yes"),
        "penalty": 10.0,
        "origin": ORIGIN,
        "metrics": {"auroc": Interval(0.9, 0.8, float("nan"), 40)},
        "training_data": "abc",
        "n_rows": 80,
    }
    return Probe(**{**fields, **changes})


def info(**changes):
    fields = {
        "name": "tiny", "revision": "r1", "family": "llama", "n_layers": 4, "d_model": 2,
        "n_heads": 1, "d_head": 2, "d_vocab": 9, "context": 64, "dtype": "float32",
        "n_parameters": 100, "fingerprint": ORIGIN.model_fingerprint,
    }  # fmt: skip
    return ModelInfo(**{**fields, **changes})


def test_scores_by_hand():
    x = torch.tensor([[1.0, 0.0], [0.0, 0.25]])
    probe = by_hand()
    assert probe.logit(x).tolist() == [2.0, 0.0]
    assert probe.score(x).tolist() == pytest.approx([1 / (1 + np.exp(-2)), 0.5])
    assert probe.direction.tolist() == [0.6, 0.8]
    assert by_hand(kind="ridge", says="number").score(x).tolist() == [2.0, 0.0]


def test_an_array_scores_as_the_tensor_does():
    acts, label, _ = planted_classes()
    probe = probes.logistic(acts, label, resamples=20, shuffles=0, directions=0).best
    x = acts.tensor(probe.hook)
    assert torch.equal(probe.score(x.numpy()), probe.score(x))
    with pytest.raises(SondeError, match=r"shape \[3, 5\] do not fit"):
        probe.score(np.zeros((3, 5)))


def test_only_a_logistic_probe_has_logits():
    with pytest.raises(SondeError, match="mean_difference probe has no logits"):
        by_hand(kind="mean_difference", says="score").logit(torch.zeros(1, 2))


def test_another_width_is_refused():
    with pytest.raises(SondeError, match=r"shape \[5, 3\] do not fit .* \[row, 2\]"):
        by_hand().score(torch.zeros(5, 3))


def test_the_file_brings_everything_back(tmp_path):
    probe = by_hand()
    loaded = Probe.load(probe.save(tmp_path / "deep" / "probe.safetensors"))
    for name in ("kind", "hook", "position", "bias", "labels", "penalty", "origin", "n_rows"):
        assert getattr(loaded, name) == getattr(probe, name)
    assert loaded.training_data == "abc"
    assert torch.equal(loaded.weight, probe.weight)
    back = loaded.metrics["auroc"]
    assert (back.value, back.low, back.n) == (0.9, 0.8, 40)
    assert np.isnan(back.high)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_weights_survive_to_the_last_bit(tmp_path_factory, numbers):
    weight = torch.tensor(numbers, dtype=torch.float64)
    path = tmp_path_factory.mktemp("probe") / "p.safetensors"
    by_hand(reader=Linear(weight[None], weight[:1], weight, weight)).save(path)
    assert torch.equal(Probe.load(path).weight, weight)


def test_the_header_is_one_key_and_equal_probes_are_equal_files(tmp_path):
    one, other = (by_hand().save(tmp_path / name) for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    with safe_open(one, framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["sonde"]
    header = json.loads(metadata["sonde"])
    for key in (
        "kind", "model", "revision", "model_fingerprint", "hook", "position", "template", "dtype",
        "scaling", "labels", "training_data", "metrics", "sonde_version",
    ):  # fmt: skip
        assert key in header
    assert header["metrics"]["auroc"]["high"] is None


def test_files_that_are_no_probe_are_named(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(SondeError, match="does not exist"):
        Probe.load(path)
    path.write_bytes(b"not at all")
    with pytest.raises(SondeError, match="not a whole safetensors file"):
        Probe.load(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(SondeError, match="not a probe that sonde wrote"):
        Probe.load(path)
    save_file({"weight": torch.zeros(2)}, path, metadata={"sonde": "[1]"})
    with pytest.raises(SondeError, match="not a probe that sonde wrote"):
        Probe.load(path)
    later = json.dumps({"artifact": "probe", "format": 99, "sonde_version": "9.9"})
    save_file({"weight": torch.zeros(2)}, path, metadata={"sonde": later})
    with pytest.raises(SondeError, match=r"format 99; this sonde reads 1 and 2\. .* sonde 9\.9"):
        Probe.load(path)


def test_a_truncated_file_and_a_wrong_shape_are_named(tmp_path):
    path = by_hand().save(tmp_path / "p.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(SondeError, match="not a whole safetensors file"):
        Probe.load(path)
    path.write_bytes(whole)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file({**tensors, "mean": torch.zeros(3)}, path, metadata=metadata)
    with pytest.raises(SondeError, match=r"mean has shape \[3\], not \[2\]"):
        Probe.load(path)
    del tensors["mean"]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(SondeError, match="it has no mean"):
        Probe.load(path)


def test_the_right_model_passes_and_others_are_refused():
    probe = by_hand()
    probe.check(info())
    probe.check(info(name="renamed"))  # the weights decide
    with pytest.raises(SondeError, match=r"fitted on tiny .* not on tiny .* allow_other_model"):
        probe.check(info(fingerprint="beef"))
    probe.check(info(fingerprint="beef"), allow_other_model=True)
    with pytest.raises(SondeError, match="width 2; tiny has 8"):
        probe.check(info(d_model=8))
    with pytest.raises(SondeError, match=r"blocks\.1\.resid_post; tiny has 1 blocks"):
        probe.check(info(n_layers=1))


def test_without_fingerprints_the_names_decide():
    unnamed = by_hand(origin=Origin())
    with pytest.raises(SondeError, match="fitted on an unnamed model"):
        unnamed.check(info())
    named = by_hand(origin=Origin(model="tiny", revision="r1"))
    named.check(info())
    with pytest.raises(SondeError, match="revision r1"):
        named.check(info(revision="r2"))


def test_apply_scores_every_row_and_refuses_foreign_activations():
    acts, label, _ = planted_classes(strength=6.0)
    probe = probes.logistic(acts, label, resamples=50).best
    assert probe.apply(acts).shape == (80,)
    assert ((probe.apply(acts) > 0.5).numpy() == label).mean() > 0.9
    foreign = type(acts)(acts.tensors, acts.rows, Origin(model="big", model_fingerprint="beef"))
    with pytest.raises(SondeError, match="not on big"):
        probe.apply(foreign)
    assert probe.apply(foreign, allow_other_model=True).shape == (80,)
    only_first = activations([acts.tensor(acts.hooks[0])])
    with pytest.raises(SondeError, match=r"Extract with hooks='blocks\.1\.resid_post'"):
        probe.apply(only_first)


def test_a_probe_without_weight_has_no_direction():
    with pytest.raises(SondeError, match="weight is zero"):
        _ = by_hand(reader=linear([[0.0, 0.0]], [0.0])).direction


def test_a_saved_probe_scores_as_the_fitted_one(tmp_path):
    acts, y, _ = planted_numbers()
    probe = probes.ridge(acts, y, resamples=50).best
    loaded = Probe.load(probe.save(tmp_path / "p.safetensors"))
    assert torch.equal(loaded.apply(acts), probe.apply(acts))


def test_files_of_the_first_format_are_read(tmp_path):
    """It had one output, a weight as a vector, and neither reader nor what the outputs are."""
    path = by_hand().save(tmp_path / "now.safetensors")
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["sonde"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["reader"], header["says"]
    older = tmp_path / "then.safetensors"
    save_file(
        {**tensors, "weight": tensors["weight"][0].clone()},
        older,
        metadata={"sonde": json.dumps({**header, "format": 1})},
    )
    probe, x = Probe.load(older), torch.tensor([[1.0, 0.0]])
    assert (probe.says, probe.weight.tolist(), probe.bias) == ("logit", [3.0, 4.0], -1.0)
    assert probe.score(x) == by_hand().score(x)


def test_several_classes_by_hand():
    probe = by_hand(
        kind="multinomial",
        says="logits",
        labels=("a", "b", "c"),
        reader=linear([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 0.0, 0.0]),
    )
    x = torch.tensor([[np.log(2), np.log(5)]])
    assert probe.score(x)[0].tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert probe.logit(x).shape == (1, 3)
    assert probe.n_outputs == 3


def test_what_only_a_linear_probe_has():
    acts, label, _ = planted_classes(n=40, layers=1)
    probe = probes.mlp(
        acts, label, penalties=(1.0,), epochs=2, width=3, resamples=5, shuffles=0
    ).best
    for name in ("weight", "bias", "direction"):
        with pytest.raises(SondeError, match="mlp probe is not linear"):
            getattr(probe, name)
