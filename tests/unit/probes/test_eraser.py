import numpy as np
import pytest
import torch
from tests.planted import activations, planted_classes, planted_numbers

from sonde.activations.moments import ClassMoments, moments_of
from sonde.core.errors import SondeError
from sonde.probes.eraser import Eraser, eraser_of_moments, fit_erasers


def test_classes_are_taken_out_at_every_layer():
    acts, label, _ = planted_classes()
    names = {name: ("no", "yes")[it] for name, it in zip(acts.rows.example, label, strict=True)}
    erasers = fit_erasers(acts, names)
    assert [str(one.hook) for one in erasers] == [str(hook) for hook in acts.hooks]
    for one in erasers:
        erased = one.erase(acts.tensor(one.hook))
        assert erased.dtype == torch.float32
        gap = erased[label == 1].mean(dim=0) - erased[label == 0].mean(dim=0)
        assert float(gap.abs().max()) < 1e-6
        assert (one.rank, one.labels, one.n_rows) == (1, ("no", "yes"), 80)
    assert 0 < erasers[0].removed < erasers[1].removed < 1


def test_the_edit_does_what_the_eraser_does():
    acts, label, _ = planted_classes()
    (_, eraser) = fit_erasers(acts, label)
    x = acts.tensor(eraser.hook)
    edited = eraser.edit().apply(x.reshape(10, 8, 12))
    torch.testing.assert_close(edited.reshape(80, 12), eraser.erase(x), rtol=1e-5, atol=1e-5)
    assert eraser.edit().hook == eraser.hook


def test_numbers_are_taken_out():
    acts, y, _ = planted_numbers()
    both = np.stack([y, acts.tensor(acts.hooks[0])[:, 0].numpy()], axis=1)
    erasers = fit_erasers(acts, both, numbers=True)
    assert [one.rank for one in erasers] == [2, 2]
    erased = erasers[1].erase(acts.tensor(acts.hooks[1]).double())
    correlations = [np.corrcoef(erased[:, it], y)[0, 1] for it in range(8) if erased[:, it].std()]
    np.testing.assert_allclose(correlations, 0, atol=1e-6)


@pytest.mark.parametrize("method", ["leace", "orthogonal"])
def test_streamed_moments_give_the_same_eraser(method):
    acts, label, _ = planted_classes()
    hook = acts.hooks[1]
    x = acts.tensor(hook)
    parts = {name: moments_of(x[label == name], covariance=True) for name in (0, 1)}
    mine = eraser_of_moments(ClassMoments({hook: parts}), hook, method=method)
    whole = fit_erasers(acts, label, method=method)[1]
    torch.testing.assert_close(mine.erase(x), whole.erase(x), rtol=1e-5, atol=1e-5)
    assert mine.removed == pytest.approx(whole.removed)
    assert mine.n_rows == 80


def test_a_file_keeps_it_whole(tmp_path):
    acts, label, _ = planted_classes()
    eraser = fit_erasers(acts, label)[1]
    path = eraser.save(tmp_path / "eraser.safetensors")
    again = Eraser.load(path)
    assert torch.equal(
        again.erase(acts.tensor(eraser.hook)), eraser.erase(acts.tensor(eraser.hook))
    )
    assert str(again) == str(eraser)
    assert (again.origin, again.hook, again.position) == (acts.origin, eraser.hook, "prompt[-1]")
    assert path.read_bytes() == again.save(tmp_path / "again.safetensors").read_bytes()


def test_what_is_wrong_is_said(tmp_path):
    acts, label, _ = planted_classes()
    eraser = fit_erasers(acts, label)[0]
    with pytest.raises(SondeError, match="do not fit the eraser"):
        eraser.erase(torch.zeros(3, 5))
    with pytest.raises(SondeError, match="does not exist"):
        Eraser.load(tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(SondeError, match="not a whole safetensors file"):
        Eraser.load(tmp_path / "broken.safetensors")
    x = acts.tensor(acts.hooks[0]).clone()
    x[3, 2] = torch.nan
    with pytest.raises(SondeError, match="1 of 80 rows"):
        fit_erasers(activations([x]), label)
    with pytest.raises(SondeError, match="moments of 0 classes"):
        eraser_of_moments(ClassMoments({}), acts.hooks[0])
