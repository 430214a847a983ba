"""Conversions: what passes the check, what it refuses, what a format cannot say."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.dictionaries.test_dictionary import SPARSITIES, architecture, random

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import Architecture, BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.formats import converting, format_called
from sonde.dictionaries.formats.agreement import agreement, random_rows
from sonde.dictionaries.formats.content import Content, Forward, HookPoints, Loaded
from sonde.dictionaries.formats.converting import (
    Source,
    check_source,
    read_source,
    run_dictionary,
    ungrouped,
    write_checked,
)

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
SAE = {"sources": ("blocks.3.resid_post",), "d_in": (6,), "d_sae": 16}
TRANSCODER = {**SAE, "targets": ("blocks.3.mlp_out",), "d_out": (6,)}
WRITTEN = ("saelens", "sparsify", "dictionary-learning")


def source_of(made, seed=0):
    dictionary = random(made, seed).float().eval()
    for block in dictionary.parts:
        if isinstance(made.sparsity, BatchTopK):
            block.threshold.fill_(0.7)
    content = Content("it", {"architecture": made.model_dump(mode="json")}, dictionary.state_dict())
    return Source(format_called("sonde"), content, Loaded(dictionary, Origin(model="tiny")))


def again(path, name):
    return read_source(path, str(path), format_called(name), HookPoints())


@st.composite
def architectures(draw):
    given = draw(st.sampled_from([SAE, TRANSCODER]))
    more = {"sparsity": draw(st.sampled_from(SPARSITIES))}
    if given is SAE:
        more |= {"centred": draw(st.booleans()), "groups": draw(st.sampled_from([(), (4, 12)]))}
    else:
        more["skip"] = draw(st.booleans())
    return Architecture(**given, **more)


@settings(max_examples=40)
@given(made=architectures(), name=st.sampled_from(WRITTEN), seed=st.integers(0, 99))
def test_what_is_written_and_read_again_is_the_same_function(tmp_path_factory, made, name, seed):
    """Or is refused in words, before anything is there."""
    source, out = source_of(made, seed), tmp_path_factory.mktemp("there") / "layers.3"
    try:
        checks, _ = write_checked(source, format_called(name), out)
    except SondeError as error:
        assert "cannot hold" in str(error)
        assert not out.exists()
        return
    assert all(check.found.holds for check in checks)
    back = again(out, name)
    rows = random_rows(made.d_in, 8, seed)
    first = run_dictionary(source.loaded.dictionary.double(), rows)
    second = run_dictionary(back.loaded.dictionary.double(), rows)
    assert torch.equal(first.latents != 0, second.latents != 0)
    torch.testing.assert_close(first.latents, second.latents, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(first.targets[0], second.targets[0], rtol=1e-5, atol=1e-3)
    assert back.loaded.architecture.sources == made.sources
    assert back.loaded.architecture.targets == made.targets
    assert back.loaded.origin.model == "tiny"


def test_the_flag_of_the_decoders_bias_is_found_by_active_sets_alone(tmp_path):
    """With it wrong the reconstruction hardly changes, and other latents fire."""
    folder = tmp_path / "it"
    shutil.copytree(GOLDEN / "saelens-topk", folder)
    right = again(folder, "saelens")
    wrong = json.loads((folder / "cfg.json").read_text()) | {"apply_b_dec_to_input": False}
    (folder / "cfg.json").write_text(json.dumps(wrong))
    other = again(folder, "saelens")
    found = agreement(right.reference, other.reference, random_rows((6,)))
    assert not found.holds
    assert found.jaccard < 0.5
    mixed = replace(right, loaded=other.loaded)
    with pytest.raises(SondeError, match=r"was not read right: as sonde read it, it is another"):
        check_source(mixed)


def test_a_writer_that_is_wrong_writes_nothing(tmp_path):
    """The encoder's bias is lost on the way: the check says how far, and leaves no file."""
    source, target = source_of(Architecture(**SAE, sparsity=TopK(k=4))), format_called("saelens")
    made = target.make

    def forgetful(loaded):
        content = made(loaded)
        content.tensors["b_enc"] = torch.zeros(16)
        return content

    with pytest.raises(SondeError, match=r"so nothing was written.*Jaccard") as error:
        write_checked(source, replace(target, make=forgetful), tmp_path / "out")
    assert "largest differences are" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_agreement_by_hand():
    """One of three latents in common; cosine 1 / sqrt(2 * 2); the largest difference is 1 of 1."""
    one = Forward(torch.tensor([[1.0, 1.0, 0.0]]), (torch.tensor([[4.0]]),))
    two = Forward(torch.tensor([[0.0, 1.0, 1.0]]), (torch.tensor([[3.0]]),))
    found = agreement(lambda _: one, lambda _: two, [torch.ones(1, 1)])
    assert found.jaccard == pytest.approx(1 / 3)
    assert found.cosine == pytest.approx(0.5)
    assert (found.activations, found.targets, found.l0, found.undecided) == (1, 0.25, 2, 0)
    assert not found.holds
    same = agreement(lambda _: one, lambda _: one, [torch.ones(1, 1)])
    assert same.holds and same.jaccard == 1


def test_rows_on_a_threshold_are_left_out_and_counted():
    """Rounding decides what is active in 1 row of 20; were it in all, the check would fail."""

    def jump(at):
        def run(rows):
            p = rows[0]
            f = p * (p > at)
            return Forward(f, (f,))

        return run

    x = torch.linspace(1, 20, 20, dtype=torch.float64)[:, None]
    found = agreement(jump(3 - 1e-9), jump(3), [x])
    assert found.holds and (found.rows, found.undecided) == (19, 1)
    all_on = agreement(jump(3 - 1e-9), jump(3), [torch.full((20, 1), 3.0, dtype=torch.float64)])
    assert not all_on.holds


def test_a_check_in_which_nothing_is_active_is_none():
    nothing = Forward(torch.zeros(2, 3), (torch.zeros(2, 1),))
    with pytest.raises(SondeError, match=r"No latent is active.*--activations"):
        agreement(lambda _: nothing, lambda _: nothing, [torch.ones(2, 1)])


@pytest.mark.parametrize(
    ("made", "name", "said"),
    [
        (Architecture(**SAE, sparsity=TopK(k=4, relu=False)), "saelens", "below 0"),
        (Architecture(**TRANSCODER, sparsity=TopK(k=4)), "saelens", "sparsify holds TopK"),
        (Architecture(**SAE, sparsity=TopK(k=4, by_norm=True)), "saelens", "decoder norms that"),
        (architecture("crosscoder", ReLU()), "saelens", "has 3 sources and 3 targets"),
        (Architecture(**SAE, sparsity=TopK(k=4), groups=(4, 12)), "sparsify", "--drop-groups"),
        (Architecture(**SAE, sparsity=JumpReLU()), "sparsify", "TopK alone"),
        (
            Architecture(**SAE, sparsity=TopK(k=4), normalise="layer_norm"),
            "sparsify",
            "layer_norm, which its forward",
        ),
        (
            Architecture(**{**TRANSCODER, "d_out": (7,)}, sparsity=TopK(k=4)),
            "sparsify",
            "a target of width 7 for a source of 6",
        ),
        (Architecture(**TRANSCODER, sparsity=ReLU()), "dictionary-learning", "SAEs alone"),
        (
            Architecture(**SAE, sparsity=Gated(), groups=(8, 8)),
            "dictionary-learning",
            "Matryoshka groups (8, 8)",
        ),
        (
            Architecture(**SAE, sparsity=BatchTopK(k=4, by_norm=True)),
            "dictionary-learning",
            "--to saelens",
        ),
    ],
)
def test_what_a_format_cannot_say_is_refused_in_words(tmp_path, made, name, said):
    with pytest.raises(SondeError) as error:
        write_checked(source_of(made), format_called(name), tmp_path / "out")
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_groups_are_dropped_where_that_is_asked(tmp_path):
    source = ungrouped(source_of(Architecture(**SAE, sparsity=TopK(k=4), groups=(4, 12))))
    write_checked(source, format_called("sparsify"), tmp_path / "layers.3")
    assert again(tmp_path / "layers.3", "sparsify").loaded.architecture.groups == ()


def test_saelens_keeps_groups_as_a_remark(tmp_path):
    source = source_of(Architecture(**SAE, sparsity=TopK(k=4), groups=(4, 12)))
    write_checked(source, format_called("saelens"), tmp_path / "out")
    assert again(tmp_path / "out", "saelens").loaded.architecture.groups == (4, 12)


def test_batch_topk_without_a_threshold_is_refused(tmp_path):
    source = source_of(Architecture(**SAE, sparsity=BatchTopK(k=4)))
    source.loaded.dictionary.parts[0].threshold.fill_(float("nan"))
    with pytest.raises(SondeError, match="has no threshold yet"):
        write_checked(source, format_called("saelens"), tmp_path / "out")


def test_nothing_is_written_over_and_a_full_disk_leaves_nothing(tmp_path):
    source, target = source_of(Architecture(**SAE, sparsity=TopK(k=4))), format_called("saelens")
    (tmp_path / "out").mkdir()
    with pytest.raises(SondeError, match="is there already"):
        write_checked(source, target, tmp_path / "out")

    def full(_, folder):
        (folder / "begun").write_text("")
        raise OSError(28, os.strerror(28))

    with pytest.raises(SondeError, match="The disk is full"):
        write_checked(source, replace(target, save=full), tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_given_activations_are_compared_too():
    source = source_of(Architecture(**SAE, sparsity=TopK(k=4)))
    checks = check_source(source, [torch.randn(10, 6)])
    assert [(one.rows, one.found.rows) for one in checks] == [("random", 64), ("activations", 10)]
    with pytest.raises(SondeError, match=r"have widths \[5\]"):
        check_source(source, [torch.randn(10, 5)])


@pytest.mark.parametrize("case", ["saelens-gated", "dictionary-learning-batchtopk"])
def test_large_dictionaries_are_compared_in_float32(tmp_path, monkeypatch, case):
    monkeypatch.setattr(converting, "LARGE", 1)
    name = case.removesuffix("-gated").removesuffix("-batchtopk")
    source = again(GOLDEN / case, name)
    (check,) = check_source(source)
    assert check.found.holds and check.found.activations < 1e-5
    write_checked(source, format_called("saelens"), tmp_path / "out")


def test_every_format_is_one_file_and_one_line():
    from sonde.dictionaries.formats.table import FORMATS
    from sonde.dictionaries.formats.table import WRITTEN as NAMES

    assert set(WRITTEN) | {"sonde"} == set(NAMES)
    folder = Path(converting.__file__).parent
    for name in FORMATS:
        file = f"{name.replace('-', '_')}.py" if name != "sonde" else "sonde_files.py"
        assert (folder / file).is_file() and (folder / "naive" / file).is_file()
    with pytest.raises(SondeError, match="is read, not written"):
        format_called("openai", written=True)
    with pytest.raises(SondeError, match="Did you mean 'saelens'"):
        format_called("sae_lens")
