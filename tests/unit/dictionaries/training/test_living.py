"""Dead latents by window, and what they begin again with."""

import pytest
import torch

from sonde.dictionaries import Architecture, Dictionary, JumpReLU, Latents, TopK
from sonde.dictionaries.initialise import SHORT, initialise
from sonde.dictionaries.training.living import Living, resample
from sonde.dictionaries.training.settings import AuxK, Resampling


def dictionary(d_sae=6, sparsity=TopK(k=2)):  # noqa: B008
    made = Architecture(sources=("blocks.0.resid_post",), d_in=(4,), d_sae=d_sae, sparsity=sparsity)
    return initialise(Dictionary(made), 0)


def test_a_latent_is_dead_once_it_was_silent_for_the_window():
    living = Living.of(dictionary(3), dead_after=20)
    first = Latents(torch.tensor([[1.0, 0, 0]] * 10))
    second = Latents(torch.tensor([[0, 1.0, 0]] * 10))
    living.saw([first], 10)
    assert living.n_dead == 0
    living.saw([second], 10)
    assert living.dead()[0].tolist() == [2]
    living.saw([second], 10)
    assert living.dead()[0].tolist() == [0, 2]
    living.saw([first], 10)
    assert living.dead()[0].tolist() == [2]


def test_firing_once_in_a_batch_is_enough_to_live():
    living = Living.of(dictionary(2), dead_after=10)
    living.saw([Latents(torch.tensor([[1.0, 0]] + [[0, 0]] * 9))], 10)
    assert living.dead()[0].tolist() == [1]


def test_spares_are_there_once_a_latent_is_dead():
    living = Living.of(dictionary(), dead_after=5)
    assert living.spares(AuxK(), [4]) == ()
    living.since[0][3] = 5
    (spare,) = living.spares(AuxK(), [4])
    assert spare.k == 2 and spare.among.tolist() == [3]
    assert living.spares(AuxK(k=7), [4])[0].k == 7


def test_a_dead_latent_takes_the_row_that_is_missed_most():
    one = dictionary()
    living = Living.of(one, dead_after=5)
    living.since[0][[1, 4]] = 9
    x = torch.eye(4)
    missed = torch.zeros(4, 4)
    missed[2] = torch.tensor([0.0, 0, 3.0, 4.0])
    before = one.parts[0].decoder.detach().clone()
    dead = resample(one, living, [x], [missed], Resampling(share=0.5), (0, 1))
    assert dead[0].tolist() == [1] and living.n_dead == 1  # no second row was missed: 4 waits
    block = one.parts[0]
    assert torch.allclose(block.decoder[1], torch.tensor([0.0, 0, 0.6, 0.8]))
    assert torch.allclose(block.encoder[1], 0.5 * SHORT * x[2])
    assert torch.equal(block.decoder[[0, 2, 3, 4, 5]], before[[0, 2, 3, 4, 5]])


def test_no_two_latents_begin_again_alike():
    one = dictionary(32)
    living = Living.of(one, dead_after=5)
    living.since[0][:20] = 9
    x, missed = torch.randn(2, 40, 4, generator=torch.Generator().manual_seed(0))
    (revived,) = resample(one, living, [x], [missed], Resampling(), (0, 1))
    assert len(revived) == 20 and living.n_dead == 0
    assert len(one.parts[0].decoder.unique(dim=0)) == 32


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_nothing_begins_again_where_an_error_is_not_finite(bad):
    """The loop then names the step; drawing rows would fail before it does."""
    one = dictionary()
    living = Living.of(one, dead_after=5)
    living.since[0][[1, 4]] = 9
    before = {name: value.clone() for name, value in one.state_dict().items()}
    missed = torch.ones(4, 4)
    missed[2, 1] = bad
    (revived,) = resample(one, living, [torch.eye(4)], [missed], Resampling(), (0, 1))
    assert not len(revived) and living.n_dead == 2
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())


def test_a_threshold_begins_again_too():
    """One that grew until its latent was silent would keep it so."""
    one = dictionary(sparsity=JumpReLU(threshold=0.2))
    one.parts[0].threshold.data.fill_(7.0)
    living = Living.of(one, dead_after=5)
    living.since[0][3] = 9
    resample(one, living, [torch.eye(4)], [torch.eye(4)], Resampling(), (0, 1))
    assert one.parts[0].threshold.tolist() == [7.0, 7.0, 7.0, torch.tensor(0.2).item(), 7.0, 7.0]
