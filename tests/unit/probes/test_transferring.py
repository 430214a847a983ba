"""Transfer: what was learnt here is scored there, and no fit reads what it saw."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from planted import activations, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.data.examples import Example
from sonde.probes import LogisticSettings, RidgeSettings
from sonde.probes.elsewhere import Source
from sonde.probes.held_out import all_held_out, held_out_groups
from sonde.probes.transferring import transfer
from sonde.stats.metrics import auroc

FAST = {"resamples": 50, "penalties": (1.0, 10.0), "folds": 3}
LOGISTIC = LogisticSettings(**FAST)


def numbers(seed, n=60, d=5, names="x", noise=0.3):
    rng = np.random.default_rng(seed)
    weight = np.arange(1.0, d + 1)
    x = rng.normal(size=(n, d)) * 2 + 1
    y = x @ weight + noise * rng.normal(size=n)
    return activations([x], examples=[f"{names}{at}" for at in range(n)]), y


def test_other_data_is_read_by_the_fit_on_all_rows():
    """Against scikit-learn, at the penalty that all rows choose."""
    (acts, y), (other, z) = numbers(0), numbers(1, names="y")
    settings = RidgeSettings(**FAST)
    cell = transfer({"a": Source(acts, y)}, {"b": Source(other, z)}, settings).at("a", "b")
    chosen = probes.ridge(acts, y, settings).layers[0].penalty
    x, there = (it.tensors[it.hooks[0]].double().numpy() for it in (acts, other))
    peer = make_pipeline(StandardScaler(), Ridge(chosen)).fit(x, y).predict(there)
    assert cell.scored.predicted == pytest.approx(peer, abs=1e-8)
    assert cell.score.value == pytest.approx(r2_score(z, peer))
    assert (cell.shared, cell.note, set(cell.scored.fold)) == (0, "", {-1})


def test_the_source_itself_is_read_out_of_fold():
    """The cell is what the sweep's own choice scores."""
    acts, label, _ = planted_classes(n=60, layers=2, strength=1.5)
    source = Source(acts, label)
    cell = transfer({"a": source}, {"a": source}, LOGISTIC).at("a", "a")
    own = probes.logistic(acts, label, LOGISTIC).selection.scored
    order, other = np.argsort(cell.scored.example), np.argsort(own.example)
    assert cell.scored.said[order] == pytest.approx(own.said[other], rel=1e-5, abs=1e-6)
    assert cell.score.value == pytest.approx(auroc(own.truth, own.predicted))
    assert (cell.shared, cell.note) == (60, "out of fold")


def test_what_was_seen_is_never_read_by_a_fit_that_saw_it():
    """Labels by chance: a fit on 12 coordinates that saw the rows would seem to know them."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 30)), rng.normal(size=40)
    acts = activations([x], examples=[f"e{at}" for at in range(40)])
    again = activations([x], examples=[f"e{at}" for at in range(40)])
    settings = RidgeSettings(folds=5, resamples=50, penalties=(0.1, 1e6))
    cell = transfer({"a": Source(acts, y)}, {"b": Source(again, y)}, settings).at("a", "b")
    assert cell.shared == 40
    assert cell.score.value < 0.1


def test_some_units_in_common_are_said():
    acts, y = numbers(0)
    mixed, z = numbers(0)
    names = [f"new{at}" if at < 45 else f"x{at}" for at in range(60)]
    mixed = activations([mixed.tensors[mixed.hooks[0]]], examples=names)
    found = transfer({"a": Source(acts, y)}, {"b": Source(mixed, z)}, RidgeSettings(**FAST))
    (only,) = found.cells
    assert only.note == "15 of 60 units trained on too, read out of fold"
    assert only.shared == 15


def test_layer_to_layer():
    """A direction that two layers share carries over; the noise layer gives chance."""
    acts, label, _ = planted_classes(n=80, layers=2, strength=4.0)
    first, second = (HookPoint(at, Site.RESID_POST) for at in (0, 1))
    acts.tensors[first] = acts.tensors[second] + 0.1 * torch.randn(
        80, 12, generator=torch.Generator().manual_seed(0)
    )
    sources = {str(hook): Source(acts, label, hook) for hook in (first, second)}
    found = transfer(sources, sources, LOGISTIC)
    assert len(found.cells) == 4
    for cell in found.cells:
        assert cell.score.value > 0.9
        assert cell.note == "out of fold"


def test_a_cell_that_cannot_be_scored_says_why():
    acts, label, _ = planted_classes(n=40, layers=1)
    wide = activations([np.random.default_rng(0).normal(size=(40, 20))],
                       examples=[f"w{at}" for at in range(40)])  # fmt: skip
    named = np.where(label == 1, "yes", "no")
    found = transfer(
        {"a": Source(acts, label)},
        {
            "wide": Source(wide, label),
            "named": Source(wide, named),
            "absent": Source(wide, label, HookPoint(7, Site.RESID_POST)),
        },
        LOGISTIC,
    )
    notes = {cell.test: cell.note for cell in found.cells}
    assert notes["wide"] == "Its width is 20, and the probe's 12."
    assert notes["named"] == "Its labels are 'no' and 'yes', the probe's '0' and '1'."
    assert notes["absent"] == "There are no activations at blocks.7.resid_post."
    assert all(cell.score is None for cell in found.cells)
    with pytest.raises(SondeError, match="There is no transfer from 'b' to 'a'"):
        found.at("b", "a")
    with pytest.raises(SondeError, match="sources to train on"):
        transfer({}, {"a": Source(acts, label)}, LOGISTIC)


def test_each_part_is_scored_by_probes_of_the_others():
    acts, label, _ = planted_classes(n=90, layers=1, strength=3.0)
    parts = {str(at): f"topic {at % 3}" for at in range(90)}
    found = held_out_groups(acts, label, parts, LOGISTIC)
    assert [(it.train, it.test) for it in found.cells] == [
        (f"all but topic {part}", f"topic {part}") for part in range(3)
    ]
    for part, cell in enumerate(found.cells):
        assert sorted(map(int, cell.scored.example)) == list(range(part, 90, 3))
        assert cell.shared == 0
        assert cell.score.value > 0.8
    whole = all_held_out(found)
    assert len(whole) == 90 and set(whole.fold.tolist()) == {0, 1, 2}
    # A part that is held out alone, the rest of the examples without one.
    one = {name: part for name, part in parts.items() if part == "topic 1"}
    alone = held_out_groups(acts, label, one, LOGISTIC)
    assert [it.score for it in alone.cells] == [found.cells[1].score]
    with pytest.raises(SondeError, match="fall into 1 part;"):
        held_out_groups(acts, label, dict.fromkeys(parts, "one"), LOGISTIC)


def test_a_source_that_cannot_be_fitted_and_a_row_that_cannot_be_read_leave_the_others():
    acts, label, _ = planted_classes(n=40, layers=1)
    other = activations([acts.tensors[acts.hooks[0]].clone()],
                        examples=[f"o{at}" for at in range(40)])  # fmt: skip
    other.tensors[other.hooks[0]][3, 2] = float("nan")
    found = transfer(
        {"good": Source(acts, label), "one class": Source(acts, np.zeros(40))},
        {"good": Source(acts, label), "other": Source(other, label)},
        LOGISTIC,
    )
    assert found.at("good", "good").score is not None
    assert found.at("good", "other").note.startswith("1 of its rows hold NaN or Inf")
    assert "1 class" in found.at("one class", "good").note
    with pytest.raises(SondeError, match="1 class"):
        transfer({"a": Source(acts, np.zeros(40))}, {"b": Source(acts, label)}, LOGISTIC)


def test_numbered_rows_of_other_data_are_other_rows():
    acts, label, _ = planted_classes(n=40, layers=1)
    other, _, _ = planted_classes(n=40, layers=1, seed=1)
    texts = [[Example(str(at), f"{name} {at}", label=str(label[at])) for at in range(40)]
             for name in ("one", "two")]  # fmt: skip
    found = transfer(
        {"a": Source(acts, texts[0])},
        {"same": Source(acts, texts[0]), "b": Source(other, texts[1])},
        LOGISTIC,
    )
    assert [cell.shared for cell in found.cells] == [40, 0]


def test_a_row_that_every_fit_saw_is_left_out():
    """An example known by name whose text is that of another, in another fold."""
    acts, label, _ = planted_classes(n=60, layers=1)
    names = [f"e{at}" for at in range(60)]
    acts = activations([acts.tensors[acts.hooks[0]]], examples=names)
    own = [
        Example(name, f"text {name}", label=str(y)) for name, y in zip(names, label, strict=True)
    ]
    swapped = [Example(one.id, other.prompt, label=one.label)
               for one, other in zip(own, own[1:] + own[:1], strict=True)]  # fmt: skip
    (cell,) = transfer({"a": Source(acts, own)}, {"b": Source(acts, swapped)}, LOGISTIC).cells
    assert 0 < cell.shared == len(cell.scored) < 60


def test_a_transfer_is_printed_in_short():
    (acts, y), (wider, z) = numbers(0), numbers(1, d=6, names="y")
    sources = {"a": Source(acts, y), "wide": Source(wider, z)}
    found = transfer({"a": sources["a"]}, sources, RidgeSettings(**FAST))
    first, own, other = str(found).splitlines()
    assert first == "ridge, r2, fitted on the first and scored on the second:"
    assert own == f"  a to a     {found.at('a', 'a').score}  (out of fold)"
    assert other == f"  a to wide  {found.at('a', 'wide').note}"
