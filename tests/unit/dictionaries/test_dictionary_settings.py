"""A dictionary as it is asked for: what is refused before any width is known, and what waits."""

import pytest
from pydantic import ValidationError

from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.sparsity import TopK

HERE, THERE = "model.layers.3", "blocks.3.mlp_out"  # the first, only a model can tell


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"d_sae": 8}, "k is 32, and there are 8 latents"),
        ({"d_sae": 50, "groups": (16, 48)}, r"the groups add up to 64 \(prefixes 16, 64\)"),
        ({"d_sae": 64, "skip": True}, "`skip` would copy the input of an SAE"),
        ({"d_sae": 64, "targets": (THERE,), "cross_layer": True}, "needs several sources"),
        ({"d_sae": 64, "targets": (THERE, THERE)}, f"named twice: {THERE}, {THERE}"),
        ({}, "give `d_sae`"),
    ],
)
def test_what_no_width_can_mend_is_refused_at_once(given, said):
    with pytest.raises(ValidationError, match=said):
        DictionarySettings(sources=(HERE,), **given)


def test_an_expansion_waits_for_the_width():
    """Groups that fit at the width of the model are not refused for those of another."""
    asked = DictionarySettings(sources=(THERE,), expansion=8, groups=(32, 96), sparsity=TopK(k=100))
    assert asked.architecture({parse_hook_point(THERE): 16}).d_sae == 128
    with pytest.raises(SondeError, match=r"The dictionary nested is not valid: the groups add up"):
        asked.architecture({parse_hook_point(THERE): 20}, "The dictionary nested")
