"""Dictionaries cut into shares, read from files as shares; processes that cannot join."""

import pytest
import torch
from shared_steps import SHAPES, SPARSITIES, architecture, dictionary_and_rows

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries.artifact import save_dictionary
from sonde.dictionaries.parallel import WHOLE, Share, join, load_shared, shared, whole
from sonde.dictionaries.parallel.ranks import Ranks

SHARES = [Share(latents=Ranks(3, rank)) for rank in range(3)]


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_share_of_a_file_is_that_of_the_dictionary(tmp_path, shape, sparsity):
    made = architecture(shape, sparsity, "Matryoshka")
    one, sources, _ = dictionary_and_rows(made)
    one.float()(*[x.float() for x in sources])  # BatchTopK learns its threshold
    one.eval()
    path = save_dictionary(one, tmp_path / "one.safetensors", Origin(hooks=made.sources))
    parts = [load_shared(path, share) for share in SHARES]
    for share, (part, header) in zip(SHARES, parts, strict=True):
        assert header.architecture == made and not part.training
        assert len(part.parts[0].bias) == made.d_sae // 3
        for name, own in shared(one, share).state_dict().items():
            assert torch.equal(own, part.state_dict()[name]), name
    state = [part.state_dict() for part, _ in parts]
    for name, own in one.state_dict().items():
        if name.startswith("blocks") and own.ndim:
            for rank in range(3):
                assert torch.equal(state[rank][name], own[rank::3])
        else:
            assert all(torch.equal(own, each[name]) for each in state)


def test_the_whole_of_one_process_is_a_copy():
    one, _, _ = dictionary_and_rows(architecture("SAE", "topk", "flat"))
    copy = whole(one)
    for name, own in copy.state_dict().items():
        assert torch.equal(own, one.state_dict()[name]) and own.dtype == torch.float64
    copy.bias[0].data.zero_()
    assert one.bias[0].any() and copy.share is WHOLE


def test_latents_that_cannot_be_shared_are_refused():
    one, _, _ = dictionary_and_rows(architecture("SAE", "topk", "flat"))
    with pytest.raises(SondeError, match="24 latents cannot be shared evenly by 5 processes"):
        shared(one, Share(latents=Ranks(5, 0)))


def test_a_process_that_was_started_alone_cannot_join(tmp_path, monkeypatch):
    import torch.distributed as dist

    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SondeError, match="Start it with `torchrun"):
        join()
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        with pytest.raises(SondeError, match="1 processes cannot be parted into rows of 2 shards"):
            join(shards=2)
        share = join()
        assert [one.world for one in (share.latents, share.rows, share.everyone)] == [1, 1, 1]
    finally:
        dist.destroy_process_group()
