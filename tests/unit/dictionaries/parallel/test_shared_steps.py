"""A step of a dictionary that processes share is that of one process, for every combination.

At equal scores the lowest latent goes first, and of a batch the first row, as in a stable sort.
"""

import re
from functools import partial

import pytest
import torch
from shared_steps import CASES, COURSES, ROWS, course, step, tied_scores
from shared_trainings import all_steps, trained
from together import together

from sonde.dictionaries.parallel import WHOLE

WAYS = {"two shards": (2, 2), "rows in two": (2, 1), "two by two": (4, 2)}
OF_ROWS = ("latents", "spare", "mask")


@pytest.fixture(scope="module", params=WAYS, ids=list(WAYS))
def found(request, tmp_path_factory):
    world, shards = WAYS[request.param]
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    return together(partial(all_steps, folder=folder), world, shards, folder), shards


def put_together(name, parts, shards, whole):
    """Lay the processes' parts out as one process has them: rows and latents in turn."""
    data = len(parts) // shards
    if name.startswith(("slope blocks", "weight blocks")) and whole.ndim:
        return torch.stack(parts[:shards], dim=1).flatten(0, 1)
    if name.startswith(OF_ROWS):
        by_row = [torch.stack(parts[n * shards :][:shards], dim=2).flatten(1) for n in range(data)]
        return torch.stack(by_row, dim=1).flatten(0, 1)
    if name.startswith("made"):
        return torch.stack(parts[::shards], dim=2).flatten(1, 2)
    if name == "evaluated":
        return torch.stack(parts[::shards], dim=1).flatten(0, 1)
    if name.startswith("part"):
        own = torch.stack(parts).view(data, shards)
        return own.sum(dim=1).mean() if name.endswith("penalty") else own[:, 0].mean()
    return parts[0]


@pytest.mark.parametrize("case", CASES, ids=[" / ".join(case) for case in CASES])
def test_a_step_is_that_of_one_process(found, case):
    results, shards = found
    if " / ".join(case) not in results[0]:
        assert WAYS["two shards"] != (len(results), shards)  # where all cases run
        return
    own = [result[" / ".join(case)] for result in results]
    alone = step(WHOLE, *case)
    assert alone["norm"] > 0.5 and own[0].keys() == alone.keys()
    for name, expected in alone.items():
        parts = [one[name] for one in own] if not name.startswith("whole") else [own[0][name]]
        mine = put_together(name, parts, shards, expected)
        if name.startswith(OF_ROWS):  # the same latents in the same rows
            assert torch.equal(mine != 0, expected != 0), name
        if name == "clipped":
            mine = torch.stack(parts).max()
        torch.testing.assert_close(mine, expected, msg=lambda text, name=name: f"{name}: {text}")
    for name in own[0]:  # what all have is the same bits for all
        if name.startswith(("weight bias", "weight skip", "weight blocks.0.threshold", "norm")):
            same = [one[name] for one in own]
            if same[0].ndim == 0 or not name.startswith("weight blocks"):
                assert all(torch.equal(same[0], one) for one in same), name
    assert alone["latents 0"].shape[0] == ROWS


@pytest.mark.parametrize("case", COURSES, ids=[" / ".join(case) for case in COURSES])
def test_a_training_is_that_of_one_process(found, case):
    results, shards = found
    own, *others = [result[" / ".join(case)] for result in results]
    alone = course(WHOLE, *case)
    assert own.keys() == alone.keys()
    for name, expected in alone.items():
        if name == "losses":
            if shards == 1:  # each process' are of its rows
                mean = torch.stack([own[name], *(one[name] for one in others)]).mean(dim=0)
                torch.testing.assert_close(mean, expected)
            assert expected[-1] < expected[1]  # from there on with the auxiliary loss
        else:
            torch.testing.assert_close(own[name], expected, msg=name)
    assert all(one.keys() == {"losses", "dead"} for one in others)
    assert own["dead"] > 0 or case[1] == "jumprelu"


def test_a_training_that_was_stopped_goes_on_from_what_all_have_stored(found, tmp_path):
    results, _ = found
    own, *others = [result["gone on"] for result in results]
    alone = trained(WHOLE, tmp_path / "alone")
    for name, expected in alone.dictionary.state_dict().items():
        assert torch.equal(own[f"first {name}"], own[f"again {name}"]), name
        torch.testing.assert_close(own[f"first {name}"], expected, msg=name)
    log = torch.tensor([number for row in alone.history for number in row.values()])
    assert alone.history[-1]["dead"] > 0 and alone.history[-1]["loss/aux"] > 0
    for one in (own, *others):
        torch.testing.assert_close(one["log"], log)
        assert one.keys() == (own.keys() if one is own else {"log"})


def test_shards_without_a_common_step_all_say_so_and_without_a_second_begin_afresh(found):
    results, shards = found
    if shards == 1:
        assert "lost" not in results[0]  # all latents are in one folder
        return
    said = {bytes(result["lost"]["said"].numpy()).decode() for result in results}
    assert len(said) == 1
    assert "have no step in common to go on from: their last are 5, 12." in said.pop()


def test_a_loss_that_is_not_finite_stops_all_processes(found):
    said = {bytes(result["diverged"]["said"].numpy()).decode() for result in found[0]}
    assert len(said) == 1
    assert re.search(r"became NaN or infinite at step \d, by batch \d", said.pop())


def stable_choice(score, k):
    order = score.argsort(descending=True, stable=True)
    return torch.zeros_like(score).scatter(-1, order[..., :k], 1.0)


@pytest.mark.parametrize("seed", range(8))
def test_of_equal_scores_the_lowest_goes_first(found, seed):
    results, shards = found
    score = tied_scores(seed)
    mine = {
        name: put_together("mask", [one[f"tied {seed}"][name] for one in results], shards, score)
        for name in results[0]["tied 0"]
    }
    offered = torch.where(mine["offered"] > 0, score, -torch.inf)
    batch = stable_choice(score.flatten(), (1 + seed % 4) * ROWS).view_as(score)
    positive = (score > 0).float()
    by_row = {
        "top": stable_choice(score, 5) * positive,
        "signed": stable_choice(score, 20),
        "among": stable_choice(offered, 4) * positive,
    }
    for name, expected in by_row.items():
        if shards > 1:
            assert torch.equal(mine[name], expected)
        else:  # a row that one process has is up to torch.topk: as many, of the same scores
            assert torch.equal(mine[name].sum(dim=1), expected.sum(dim=1))
            assert torch.equal((mine[name] * score).sum(dim=1), (expected * score).sum(dim=1))
    assert torch.equal(mine["batch"], batch * positive)
    assert not mine["none"].any()
