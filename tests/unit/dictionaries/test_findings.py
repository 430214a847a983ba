"""Faults of weights are planted one by one, and found again; sound dictionaries have none."""

import math
from pathlib import Path

import torch

from sonde.activations.origin import Origin
from sonde.dictionaries import Architecture, BatchTopK, Dictionary, JumpReLU, TopK
from sonde.dictionaries.artifact import save_dictionary
from sonde.dictionaries.findings import faults, reach, weight_findings
from sonde.dictionaries.formats import read_dictionary
from sonde.dictionaries.formats.recognising import found_inside
from sonde.dictionaries.initialise import initialise

GOLDEN = Path(__file__).parents[2] / "peers" / "dictionary_golden"


def of_weights(change, sparsity=None):
    made = Architecture(
        sources=("blocks.0.resid_post",), d_in=(8,), d_sae=400, sparsity=sparsity or TopK(k=4)
    )
    dictionary = initialise(Dictionary(made), 0)
    with torch.no_grad():
        change(dictionary.parts[0])
    return {one.name: one for one in weight_findings(dictionary)}


def test_decoder_norms_of_a_few_or_of_all():
    assert "all alike" in of_weights(lambda block: None)["Decoder norms"].words
    few = of_weights(lambda block: block.decoder[:2].mul_(1.07))["Decoder norms"]
    assert not few.good
    assert "2 of 400 rows drift from the others by up to 7%" in few.words
    free = of_weights(lambda block: block.decoder.mul_(torch.linspace(1, 3, 400)[:, None]))
    assert free["Decoder norms"].good
    gone = of_weights(lambda block: block.decoder[5].zero_())["Decoder norms"]
    assert "1 of 400 rows are zero" in gone.words


def test_thresholds_unset_zero_or_frozen():
    unset = of_weights(lambda block: None, BatchTopK(k=4))["Thresholds"]
    assert not unset.good
    assert "not set" in unset.words
    jump = JumpReLU(threshold=0.001)
    assert "for all" in of_weights(lambda block: None, jump)["Thresholds"].words
    zero = of_weights(lambda block: block.threshold.zero_(), jump)["Thresholds"]
    assert not zero.good
    frozen = of_weights(lambda block: block.threshold[:100].mul_(3), jump)["Thresholds"]
    assert "300 of 400 are 0.001 to the digit: frozen" in frozen.words
    moved = of_weights(lambda block: block.threshold.copy_(torch.linspace(0.1, 1, 400)), jump)
    assert moved["Thresholds"].good


def test_nan_and_latents_that_never_fire():
    broken = of_weights(lambda block: block.encoder[3, 3].fill_(torch.nan))
    assert list(broken) == ["Weights"]
    assert "encoder have NaN" in broken["Weights"].words
    silent = of_weights(lambda block: (block.encoder[:7].zero_(), block.bias[:7].fill_(-1)))
    assert "7 of 400 can never fire" in silent["Latents"].words


def test_reach_by_hand():
    """Row (3, 4) with bias -10 fires from norm 2 on; a bias of 1 always may."""
    made = Architecture(
        sources=("blocks.0.resid_post",), d_in=(2,), d_sae=3, sparsity=JumpReLU(threshold=5.0)
    )
    block = Dictionary(made).parts[0]
    with torch.no_grad():
        block.encoder.copy_(torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]))
        block.bias.copy_(torch.tensor([-10.0, 6.0, 0.0]))
    assert reach(block).tolist() == [3.0, 0.0, math.inf]


def test_what_is_usual_in_a_format_is_no_fault():
    """Free norms, one threshold for all, biases below 0: of every library's own files."""
    golden = found_inside(GOLDEN, depth=6)
    assert len(golden) > 30
    for path in golden:
        assert read_dictionary(str(path), check=False).faults == (), path


def test_faults_come_with_what_is_read_of_a_file(tmp_path):
    made = Architecture(sources=("blocks.0.resid_post",), d_in=(8,), d_sae=400, sparsity=TopK(k=4))
    dictionary = initialise(Dictionary(made), 0)
    assert faults(dictionary) == ()
    dictionary.parts[0].decoder.data[5] = 0
    path = save_dictionary(dictionary, tmp_path / "it.safetensors", Origin())
    loaded = read_dictionary(str(path))
    assert [one.name for one in loaded.faults] == ["Decoder norms"]
    assert loaded.notes == ()
