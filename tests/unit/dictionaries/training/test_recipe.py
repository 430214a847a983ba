"""Recipes that suit their dictionaries, and those that are refused before anything is read."""

import pytest
from pydantic import ValidationError

from sonde.core.errors import SondeError
from sonde.dictionaries import BatchTopK, JumpReLU, ReLU, TopK
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import AuxK, Training
from sonde.dictionaries.training.recipe import check_recipe
from sonde.experiments.stages.dictionary import DictionaryStage


def made(**kinds):
    return {
        name: DictionarySettings(sources=("blocks.0.resid_post",), d_sae=64, sparsity=one)
        for name, one in kinds.items()
    }


@pytest.mark.parametrize(
    ("recipe", "kinds", "said"),
    [
        ({"aux": AuxK()}, {"a": ReLU(), "b": JumpReLU()}, r"training\.aux is for topk"),
        ({"k_start": 9}, {"a": ReLU()}, r"training\.k_start is for topk"),
        ({"penalty_warmup": 9}, {"a": TopK(k=2)}, r"training\.penalty_warmup is for relu"),
        ({"k_start": 65}, {"a": BatchTopK(k=2)}, r"k_start is 65, and a has 64 latents\."),
        ({"compile": True}, {"a": TopK(k=2), "b": ReLU()}, r"relu, jumprelu and gated.* a has"),
        ({"compile": True}, {f"n{n}": ReLU() for n in range(9)}, "8 dictionaries at most"),
    ],
)
def test_what_none_would_follow_is_refused_at_once(recipe, kinds, said):
    with pytest.raises(SondeError, match=said):
        check_recipe(Training(**recipe), made(**kinds))
    with pytest.raises(ValidationError, match=said):
        DictionaryStage(
            corpus={"texts": "standard library", "held_out": 0.1},
            dictionaries=made(**kinds),
            training=Training(**recipe),
        )


@pytest.mark.parametrize(
    ("recipe", "kinds"),
    [
        ({}, {"a": ReLU()}),
        ({"aux": None}, {"a": ReLU()}),
        ({"aux": AuxK(), "penalty_warmup": 9, "k_start": 64}, {"a": ReLU(), "b": TopK(k=2)}),
        ({"compile": True, "penalty_warmup": 0}, {"a": JumpReLU()}),
    ],
)
def test_what_one_follows_is_taken(recipe, kinds):
    check_recipe(Training(**recipe), made(**kinds))
