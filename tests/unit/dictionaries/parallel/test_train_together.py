"""Training together, as one process sees it: what it refuses, and when old checkpoints go."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from sonde.activations.row_batches import TensorRows
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, ReLU, TopK
from sonde.dictionaries.parallel import WHOLE, Share, train_together
from sonde.dictionaries.parallel.ranks import Ranks
from sonde.dictionaries.training import AuxK, Running, Training

HOOK = "blocks.0.resid_post"
QUIET = Running(progress=False)


def made(sparsity=TopK(k=2)):  # noqa: B008
    return Architecture(sources=(HOOK,), d_in=(4,), d_sae=8, sparsity=sparsity)


def rows(kind=TensorRows, epochs=3):
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    return kind({parse_hook_point(HOOK): x}, batch=4, epochs=epochs)


@dataclass(frozen=True, slots=True, eq=False)
class LeftAlone(Ranks):
    """What a process sees of others that are killed while it stores the checkpoint ``last``."""

    last: Path = Path()

    def count(self, own):
        if self.last.exists():
            raise ConnectionError("the others are gone")
        return own


def test_old_checkpoints_stay_until_all_have_stored(tmp_path):
    """With one kept, a kill in between would else leave the shards with no step in common."""
    folder = tmp_path / "shard-0-of-1"
    share = Share(everyone=LeftAlone(last=folder / "step-000000010"))
    running = Running(tmp_path, store=5, keep=1, progress=False)
    with pytest.raises(ConnectionError):
        train_together(rows(), made(), Training(), share, running)
    assert sorted(one.name for one in folder.iterdir()) == ["step-000000005", "step-000000010"]
    train_together(rows(), made(), Training(), WHOLE, running)
    assert [one.name for one in folder.iterdir()] == ["step-000000015"]


def test_a_source_that_ends_early_is_no_whole_training():
    class Short(TensorRows):
        def batches(self, start=0):
            yield from list(super().batches(start))[: 7 - start]

    with pytest.raises(SondeError, match="The source ended before step 7"):
        train_together(rows(Short), made(), Training(), WHOLE, QUIET)


@pytest.mark.parametrize(
    ("recipe", "sparsity", "said"),
    [
        ({"k_start": 9, "k_steps": 5}, TopK(k=2), "k_start is 9, and the dictionary has 8 latents"),
        ({"aux": AuxK()}, ReLU(), r"training\.aux is for topk"),
        ({"penalty_warmup": 5}, TopK(k=2), r"training\.penalty_warmup is for relu"),
    ],
)
def test_a_recipe_that_the_dictionary_does_not_follow_is_refused(recipe, sparsity, said):
    with pytest.raises(SondeError, match=said):
        train_together(rows(), made(sparsity), Training(**recipe), WHOLE, QUIET)


@pytest.mark.parametrize(
    ("hook", "width", "said"),
    [
        ("blocks.1.resid_post", 4, r"no activations at blocks\.1\.resid_post"),
        (HOOK, 5, r"Rows of blocks\.0\.resid_post are 4 wide, and the dictionary's are 5"),
    ],
)
def test_rows_that_are_not_the_dictionarys_are_refused(hook, width, said):
    other = Architecture(sources=(hook,), d_in=(width,), d_sae=8, sparsity=TopK(k=2))
    with pytest.raises(SondeError, match=said):
        train_together(rows(), other, Training(), WHOLE, QUIET)
