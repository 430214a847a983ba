"""The nearest other latent, by hand, against one product, and some rows at a time."""

import pytest
import torch

from sonde.dictionaries import metrics_decoder
from sonde.dictionaries.metrics_decoder import nearest_latents


def test_by_hand():
    decoder = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 0.5], [0.0, 7.0], [0.0, 0.0]])
    found = nearest_latents(decoder)
    assert found.cosine.tolist() == pytest.approx([0.6, 0.8, 1.0, 1.0, 0.0], abs=1e-6)
    assert found.latent[:4].tolist() in ([1, 2, 3, 2], [1, 3, 3, 2])
    assert found.mean == pytest.approx(3.4 / 5)
    assert found.shared == pytest.approx(2 / 5)
    assert found.quantile(0.5) == pytest.approx(0.8)


@pytest.mark.parametrize("chunk", [1, 90, 1 << 24])
def test_pieces_do_not_matter(monkeypatch, chunk):
    monkeypatch.setattr(metrics_decoder, "CHUNK", chunk)
    torch.manual_seed(0)
    decoder = torch.randn(40, 6)
    unit = decoder / decoder.norm(dim=1, keepdim=True)
    whole = (unit @ unit.T).fill_diagonal_(-1)
    found = nearest_latents(decoder * torch.rand(40, 1))
    torch.testing.assert_close(found.cosine, whole.max(dim=1).values)
    assert found.latent.tolist() == whole.argmax(dim=1).tolist()


def test_a_latent_alone_has_no_nearest():
    assert nearest_latents(torch.ones(1, 3)).cosine.isnan().all()
