"""Names of hook points."""

from dataclasses import replace

import pytest

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.model import Model
from sonde.models.tiny import tiny_model


@pytest.fixture(scope="module")
def llama() -> Model:
    return tiny_model("llama")


@pytest.fixture(scope="module")
def wrapped() -> Model:
    return tiny_model("gemma3", wrapped=True)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("blocks.1.resid_mid", (1, Site.RESID_MID)),
        ("blocks.1.hook_resid_pre", (1, Site.RESID_PRE)),
        ("blocks.0.ln2.hook_normalized", (0, Site.MLP_NORMED_UNGAINED)),
        ("blocks.0.attn.hook_z", (0, Site.HEAD_OUT)),
        ("blocks.2.hook_mlp_in", (2, Site.RESID_MID)),
        ("model.layers.2", (2, Site.RESID_POST)),
        ("layers.2", (2, Site.RESID_POST)),
        ("model.layers.1.mlp", (1, Site.MLP_MODULE_OUT)),
        ("model.layers.1.self_attn", (1, Site.ATTN_OUT)),
        ("model.layers.1.post_attention_layernorm", (1, Site.MLP_NORMED)),
    ],
)
def test_one_place_has_many_names(llama: Model, name: str, wanted: tuple[int, Site]) -> None:
    assert llama.hook_points(name) == (HookPoint(*wanted),)


def test_sites_are_taken_at_layers_in_forward_order_without_repeats(llama: Model) -> None:
    got = llama.hook_points(["mlp_out", "hook_resid_pre", "resid_pre", "layers.2.mlp"], [2, 0])
    assert list(map(str, got)) == [
        "blocks.0.resid_pre",
        "blocks.0.mlp_out",
        "blocks.2.resid_pre",
        "blocks.2.mlp_module_out",
        "blocks.2.mlp_out",
    ]
    assert llama.hook_points() == tuple(HookPoint(n, Site.RESID_POST) for n in range(3))
    assert llama.hook_points("hook_z", 0.5) == (HookPoint(1, Site.HEAD_OUT),)
    assert llama.hook_points(HookPoint(1, Site.ATTN_OUT)) == (HookPoint(1, Site.ATTN_OUT),)


@pytest.mark.parametrize(
    "path",
    ["model.language_model.layers.1", "language_model.model.layers.1", "model.layers.1"],
)
def test_a_wrapped_model_answers_to_its_old_paths(wrapped: Model, path: str) -> None:
    assert wrapped.hook_points(path) == (HookPoint(1, Site.RESID_POST),)


@pytest.mark.parametrize(
    ("names", "layers", "message"),
    [
        ("resid_pots", "all", "Did you mean 'resid_post'"),
        ("blocks.1.resid_pots", "all", "Did you mean 'resid_post'"),
        ("blocks.7.resid_post", "all", "which has 3 blocks. Blocks are 0 to 2"),
        ("model.layers.3.mlp", "all", "Blocks are 0 to 2"),
        ("resid_post", 12, "outside the model"),
        ("transformer.h.1", "all", "Its blocks are model.layers.0 to model.layers.2"),
        ("vision.layers.1", "all", "is not a module of tiny llama"),
        ("model.layers.1.mpl", "all", "Did you mean 'mlp'"),
        ("model.layers.1.self_attn.o_proj", "all", "Ask for head_out"),
        ("model.layers.1.self_attn.q_proj", "all", "is no hook point of llama"),
        ([], "all", "No hook points were given"),
        ("blocks.1.resid_post", 2, "layers=2 has no effect"),
    ],
)
def test_errors_say_what_to_write(llama: Model, names: object, layers: object, message: str):
    with pytest.raises(SondeError, match=message):
        llama.hook_points(names, layers)  # pyright: ignore


def test_sites_that_a_family_lacks_are_refused_with_the_reason() -> None:
    with pytest.raises(SondeError, match="in parallel"):
        tiny_model("gpt_neox").hook_points("resid_mid")
    with pytest.raises(SondeError, match="without a norm"):
        tiny_model("olmo2").hook_points("mlp_normed_ungained")
    with pytest.raises(SondeError, match="post_attention_layernorm before it is added"):
        tiny_model("gemma2").hook_points("model.layers.0.self_attn")


def test_sites_that_failed_the_self_check_are_refused(llama: Model) -> None:
    doubtful = replace(llama, refused={Site.ATTN_OUT: "the sum is off"})
    with pytest.raises(SondeError, match=r"failed the self-check.*the sum is off"):
        doubtful.hook_points("attn_out")
    assert doubtful.hook_points("resid_post", 0)
