"""What the heap keeps: against a plain sort, however offers are cut, stored and taken up again."""

import math
from collections import defaultdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.samples.draws import draws
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.samples.settings import SampleSettings

SMALL = SampleSettings(per_latent=3, threshold=0.5, strata=3, per_stratum=2, uniform=2)


def planted(rows: int, latents: int, seed: int = 0) -> torch.Tensor:
    """Return activations a third of which are not 0, on a coarse grid so that some are equal."""
    made = torch.Generator().manual_seed(seed)
    value = (torch.randn(rows, latents, generator=made).exp() * 4).round() / 4
    return value * (torch.rand(rows, latents, generator=made) < 0.35)


def kept(heap: SampleHeap, kind: str) -> dict[int, list[tuple[float, int]]]:
    """Return value and token of each bucket's samples, in the order in which they are kept."""
    best = getattr(heap, kind).kept
    found = {}
    for bucket, (priority, value, token) in enumerate(
        zip(best.priority.tolist(), best.value.tolist(), best.token.tolist(), strict=True)
    ):
        there = [at for at, one in enumerate(priority) if one >= 0]
        assert there == list(range(len(there))), "what is kept comes first"
        found[bucket] = [(value[at], token[at]) for at in there]
    return found


def test_a_case_by_hand():
    heap = SampleHeap(2, SMALL)
    value = torch.tensor([[0.5, 0.0], [0.6, 9.0], [1.2, 0.0], [0.6, 0.0], [0.2, 0.0]])
    heap.offer([Latents(value)], torch.tensor([10, 11, 12, 13, 14]), step=7)
    assert heap.rows == 5
    assert heap.fired.tolist() == [5, 1]
    assert heap.total.tolist() == pytest.approx([3.1, 9.0])
    # 0.5 is not above the threshold; of two equal ones the first offered comes first
    assert kept(heap, "top")[0] == [(pytest.approx(1.2), 12), (pytest.approx(0.6), 11),
                                    (pytest.approx(0.6), 13)]  # fmt: skip
    assert kept(heap, "top")[1] == [(9.0, 11)]
    # up to the threshold, 0.5 to 0.71, 0.71 to 1, 1 to 1.41
    assert heap.histogram[0, :5].tolist() == [2, 2, 0, 1, 0]
    strata = kept(heap, "strata")
    assert [len(strata[bucket]) for bucket in range(6)] == [2, 1, 0, 0, 0, 1], "the last is open"
    assert set(heap.top.kept.step[0].tolist()) == {7}


def test_the_largest_are_those_of_a_sort_and_counts_are_exact():
    value, token = planted(400, 7), torch.randperm(10_000)[:400]
    heap = SampleHeap(7, SMALL)
    for part in range(0, 400, 50):
        here = slice(part, part + 50)
        heap.offer([Latents.sparse(value[here])], token[here], part)
    for latent in range(7):
        above = [
            (v, t)
            for v, t in zip(value[:, latent].tolist(), token.tolist(), strict=True)
            if v > 0.5
        ]
        assert kept(heap, "top")[latent] == sorted(above, key=lambda one: -one[0])[:3]
    assert torch.equal(heap.fired, (value != 0).sum(dim=0))
    assert torch.allclose(heap.total, value.double().sum(dim=0))
    assert torch.equal(heap.histogram.sum(dim=1), heap.fired)


def test_random_samples_are_those_with_the_largest_draws_of_each_octave():
    value, token = planted(300, 5, seed=1), torch.arange(300)
    heap = SampleHeap(5, SMALL)
    heap.offer([Latents(value)], token, 0)
    for latent in range(5):
        by_stratum = defaultdict(list)
        drawn = draws(SMALL.seed, token, torch.full_like(token, latent)).tolist()
        for v, t, d in zip(value[:, latent].tolist(), token.tolist(), drawn, strict=True):
            if v > 0.5:
                octave = min(math.ceil(math.log2(v / 0.5)) - 1, 2)
                by_stratum[octave].append((d, v, t))
                by_stratum["all"].append((d, v, t))
        best = {key: [one[1:] for one in sorted(of)[:-3:-1]] for key, of in by_stratum.items()}
        assert kept(heap, "uniform")[latent] == best["all"]
        for octave in range(3):
            assert kept(heap, "strata")[latent * 3 + octave] == best.get(octave, [])


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(1, 99), max_size=6, unique=True), seed=st.integers(0, 5))
def test_how_offers_are_cut_and_stored_changes_nothing(cuts, seed):
    value, token = planted(100, 6, seed), torch.randperm(1000)[:100]
    whole, parts = SampleHeap(6, SMALL), SampleHeap(6, SMALL)
    whole.offer([Latents(value)], token, 1)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 100], strict=True):
        parts.offer([Latents.sparse(value[start:end])], token[start:end], 1)
        stored = {name: tensor.clone() for name, tensor in parts.tensors().items()}
        parts = SampleHeap(6, SMALL)
        parts.load(stored)
    for name, tensor in whole.tensors().items():
        same = torch.allclose if name == "total" else torch.equal
        assert same(tensor, parts.tensors()[name]), name


def test_a_token_seen_again_is_kept_once_with_its_largest_activation():
    heap = SampleHeap(1, SMALL)
    for step, (value, token) in enumerate([([2.0, 1.0], [5, 6]), ([1.0, 3.0, 4.0], [5, 6, 6])]):
        heap.offer([Latents(torch.tensor(value)[:, None])], torch.tensor(token), step)
    assert kept(heap, "top")[0] == [(4.0, 6), (2.0, 5)]
    assert heap.top.kept.step[0, :2].tolist() == [1, 0]
    assert len(kept(heap, "uniform")[0]) == 2
    assert heap.fired == 5, "counts are of rows, each as often as it was seen"


def test_latents_of_several_blocks_are_numbered_on():
    heap = SampleHeap(6, SMALL)
    first, second = torch.zeros(2, 3), torch.zeros(2, 3)
    first[0, 2], second[1, 0] = 1.0, 2.0
    heap.offer([Latents(first), Latents.sparse(second)], torch.tensor([0, 1]), 0)
    assert heap.fired.tolist() == [0, 0, 1, 1, 0, 0]
    assert kept(heap, "top")[3] == [(2.0, 1)]
    with pytest.raises(SondeError, match="3 latents are offered to samples of 6"):
        heap.offer([Latents(first)], torch.tensor([0, 1]), 0)


def test_memory_does_not_grow_with_what_is_offered_and_kinds_may_be_left_out():
    none = SampleSettings(per_latent=2, strata=0, uniform=0)
    heap = SampleHeap(3, none)
    sizes = {name: tensor.shape for name, tensor in heap.tensors().items()}
    for step in range(20):
        heap.offer([Latents(planted(50, 3, step))], torch.arange(50) + 50 * step, step)
    assert {name: tensor.shape for name, tensor in heap.tensors().items()} == sizes
    entries = sum(one.numel() for name, one in heap.tensors().items() if name.endswith(".value"))
    assert entries == 3 * none.slots
    heap.offer([Latents(torch.zeros(0, 3))], torch.zeros(0, dtype=torch.long), 21)
    assert heap.rows == 1000


def test_a_state_of_other_settings_is_refused():
    stored = SampleHeap(4, SMALL).tensors()
    with pytest.raises(SondeError, match="other settings: strata"):
        SampleHeap(4, SMALL.model_copy(update={"per_stratum": 4})).load(stored)
    with pytest.raises(SondeError, match="kept with other settings"):
        SampleHeap(5, SMALL).load(stored)


def test_draws_are_even_and_depend_on_seed_token_and_latent():
    token = torch.arange(20_000)
    drawn = draws(0, token, torch.zeros_like(token)).double() / 2**31
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = torch.histc(drawn, 20, 0, 1)
    chi = ((counts - 1000).square() / 1000).sum()
    assert chi < 43.8, "the .999 quantile of chi squared with 19 degrees"
    others = (draws(1, token, torch.zeros_like(token)), draws(0, token, torch.ones_like(token)))
    for other in others:
        assert abs(torch.corrcoef(torch.stack([drawn, other.double()]))[0, 1]) < 0.03


def test_edges_are_half_octaves_from_the_threshold_on():
    found = SampleSettings(threshold=0.25).edges
    assert (found[0], found[2]) == (0.25, pytest.approx(0.5))
    assert found[7] / found[6] == pytest.approx(math.sqrt(2.0))
