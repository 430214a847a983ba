"""A vector: its unit, its edits, whom it belongs to, and its file."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_vectors import made

from sonde.core.edits import Ablate, Add, Clamp, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site, parse_hook_point
from sonde.models.tiny import tiny_model
from sonde.vectors import Vector


def test_its_name_says_method_cleaning_position_and_hook_point():
    assert made().name == "mean_difference@response[:5].mean@blocks.1.resid_post"
    assert made(cleaning="top-1").name.startswith("mean_difference/top-1@response")


def test_a_coefficient_counts_typical_norms_worked_by_hand():
    # 2 typical norms of 10 along (0.6, 0, 0.8)
    assert made().raw(2.0).tolist() == pytest.approx([12.0, 0.0, 16.0])
    assert made().raw_coefficient(-0.5) == -5.0
    assert made().massive_share == pytest.approx(0.64)


def test_edits_change_the_projection_by_what_they_say():
    vector, x = made(), torch.tensor([[[1.0, 2.0, 3.0]]])  # projects to 3
    edited = {
        kind: vector.project(vector.edit(0.1, kind).apply(x)).item()
        for kind in ("add", "clamp", "cap", "ablate")
    }
    assert edited == pytest.approx({"add": 4.0, "clamp": 1.0, "cap": 1.0, "ablate": 0.0}, abs=1e-5)
    assert vector.project(vector.edit(0.9, "cap").apply(x)).item() == pytest.approx(3.0)
    assert isinstance(vector.edit(1.0), Add)
    assert isinstance(vector.edit(1.0, "ablate"), Ablate)
    assert isinstance(vector.edit(1.0, "clamp"), Clamp)
    assert vector.edit(1.0, when="generated").scope.when is When.GENERATED


@given(coefficient=st.floats(-100, 100), seed=st.integers(0, 50))
def test_adding_moves_the_projection_by_coefficient_typical_norms(coefficient, seed):
    drawn = torch.Generator().manual_seed(seed)
    direction = torch.randn(6, generator=drawn, dtype=torch.float64)
    vector = made((direction / direction.norm()).tolist(), typical_norm=3.0, massive=())
    x = torch.randn(1, 2, 6, generator=drawn)
    moved = vector.project(vector.edit(coefficient).apply(x)) - vector.project(x)
    assert torch.allclose(moved, torch.full((1, 2), 3 * coefficient), atol=1e-3)


def test_without_a_typical_norm_there_is_no_unit_but_ablation_works():
    vector = made(typical_norm=None)
    with pytest.raises(SondeError, match="typical norm"):
        vector.edit(1.0)
    assert isinstance(vector.edit(1.0, "ablate"), Ablate)
    assert vector.with_typical_norm(2.0).raw_coefficient(3.0) == 6.0


def test_mistakes_are_named():
    with pytest.raises(SondeError, match=r"'clampp' is not a way to steer. Did you mean 'clamp'"):
        made().edit(1.0, "clampp")
    with pytest.raises(SondeError, match="not a phase"):
        made().edit(1.0, when="later")
    with pytest.raises(SondeError, match=r"length 2, not 1"):
        made((2.0, 0.0, 0.0))
    with pytest.raises(SondeError, match="width 4"):
        made().project(torch.zeros(1, 4))


@pytest.fixture(scope="module")
def info():
    return tiny_model("llama").info.model_copy(
        update={"name": "tiny", "revision": "r1", "fingerprint": "f00d" * 4, "d_model": 3}
    )


def test_its_own_model_needs_no_words(info):
    assert made().check(info) == ""
    assert made().check(info.model_copy(update={"name": "renamed"})) == ""  # weights decide


def test_another_model_or_hook_point_is_refused_or_recorded(info):
    instruct = info.model_copy(update={"name": "tiny-instruct", "fingerprint": "beef" * 4})
    elsewhere = parse_hook_point("blocks.2.resid_post")
    with pytest.raises(SondeError, match="not from tiny-instruct"):
        made().check(instruct)
    with pytest.raises(SondeError, match=r"not at blocks\.2"):
        made().check(info, elsewhere)
    said = made().check(instruct, elsewhere, allow_other_model=True, allow_other_hook=True)
    assert "made from tiny (revision r1, weights f00df00df00d) and used in tiny-instruct" in said
    assert "made at blocks.1.resid_post and used at blocks.2.resid_post" in said


def test_another_size_is_refused_whatever_is_allowed(info):
    wide = info.model_copy(update={"d_model": 4, "fingerprint": "beef"})
    with pytest.raises(SondeError, match="has width 3; tiny has 4"):
        made().check(wide, allow_other_model=True)
    with pytest.raises(SondeError, match="has 3 blocks"):
        made(layer=7).check(info)


def test_the_file_gives_everything_back(tmp_path):
    vector = made(note="a note", metrics=made().metrics)
    path = vector.save(tmp_path / "one.safetensors")
    again = Vector.load(path)
    for field in dataclasses.fields(Vector):
        if field.name != "direction":
            assert getattr(again, field.name) == getattr(vector, field.name), field.name
    assert torch.equal(again.direction, vector.direction)
    assert again.save(tmp_path / "two.safetensors").read_bytes() == path.read_bytes()


def test_other_files_are_refused(tmp_path):
    path = made().save(tmp_path / "one.safetensors")
    (tmp_path / "half.safetensors").write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SondeError, match="not a whole safetensors file"):
        Vector.load(tmp_path / "half.safetensors")
    with pytest.raises(SondeError, match="does not exist"):
        Vector.load(tmp_path / "absent.safetensors")
    later = path.read_bytes().replace(b'\\"format\\":1', b'\\"format\\":9')
    (tmp_path / "later.safetensors").write_bytes(later)
    with pytest.raises(SondeError, match="vector format 9"):
        Vector.load(tmp_path / "later.safetensors")


def test_heads_lie_one_after_another(info):
    vector = made(hook=HookPoint(1, Site.HEAD_OUT))
    heads = info.model_copy(update={"n_heads": 3, "d_head": 1, "d_model": 8})
    assert vector.check(heads) == ""
