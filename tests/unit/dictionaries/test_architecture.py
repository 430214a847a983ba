"""Which choices go together, and what is said of those that do not."""

import pytest
from pydantic import ValidationError

from sonde.dictionaries import Architecture, BatchTopK, TopK

HERE, THERE = "blocks.3.resid_post", "blocks.3.mlp_out"
SMALL = {"sources": (HERE,), "d_in": (8,), "d_sae": 16, "sparsity": TopK(k=2)}
TRANSCODER = {**SMALL, "targets": (THERE,), "d_out": (8,)}


def test_the_field_has_names_for_them():
    assert Architecture(**SMALL).name == "SAE"
    assert Architecture(**{**SMALL, "groups": (4, 12)}).name == "Matryoshka SAE"
    assert Architecture(**TRANSCODER, skip=True).name == "skip transcoder"
    two = {"sources": (HERE, "blocks.4.resid_post"), "d_in": (8, 6)}
    assert Architecture(**{**SMALL, **two}).name == "crosscoder"
    across = {**TRANSCODER, **two, "targets": (THERE, "blocks.4.mlp_out"), "d_out": (8, 8)}
    assert Architecture(**across, cross_layer=True).name == "cross-layer transcoder"


def test_an_sae_is_centred_and_a_transcoder_is_not():
    assert Architecture(**SMALL).takes_bias_off
    assert not Architecture(**SMALL, centred=False).takes_bias_off
    assert not Architecture(**TRANSCODER).takes_bias_off


def test_prefixes_are_the_sums_so_far():
    """The groups of an earlier log's transcoder of 18,432 latents."""
    groups = (2304, 4608, 9216, 2304)
    found = Architecture(**{**TRANSCODER, "d_sae": 18432, "groups": groups})
    assert found.prefixes == (2304, 6912, 16128, 18432)
    assert Architecture(**SMALL).prefixes == (16,)


def test_blocks_of_a_cross_layer_transcoder_write_onwards():
    sources = tuple(f"blocks.{layer}.resid_mid" for layer in range(3))
    targets = tuple(f"blocks.{layer}.mlp_out" for layer in range(3))
    found = Architecture(
        sources=sources, targets=targets, d_in=(4,) * 3, d_out=(4,) * 3, d_sae=8,
        sparsity=TopK(k=2), cross_layer=True,
    )  # fmt: skip
    assert [reach.targets for reach in found.reaches] == [(0, 1, 2), (1, 2), (2,)]
    assert [reach.sources for reach in found.reaches] == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sparsity": TopK(k=17)}, "k is 17, and there are 16 latents"),
        ({"sparsity": BatchTopK(k=17)}, "k is 17"),
        ({"groups": (4, 8)}, "the groups add up to 12 (prefixes 4, 12), and there are 16"),
        ({"d_out": (9,)}, "widths [8] in and [9] out"),
        ({"d_in": (8, 8)}, "1 sources have 2 widths"),
        ({"skip": True}, "`skip` would copy the input of an SAE"),
        ({"cross_layer": True}, "`cross_layer` needs several sources"),
        ({"targets": (THERE,)}, "1 targets have 0 widths"),
        ({"targets": (THERE,), "d_out": (8,), "centred": True}, "`centred` takes a target's bias"),
        ({"sources": (HERE, HERE), "d_in": (8, 8)}, "a hook point is named twice"),
        ({"sources": ("blocks.3.residpost",)}, "resid_post"),
        ({"targets": (THERE, HERE), "d_out": (8, 8), "cross_layer": True}, "1 and 2 are given"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(changes, said):
    with pytest.raises(ValidationError) as refused:
        Architecture(**{**SMALL, **changes})
    assert said in str(refused.value)
