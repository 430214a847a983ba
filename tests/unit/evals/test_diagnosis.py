"""Every fault is planted once on a dictionary that works, and found again."""

import math

import pytest
import torch

from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, JumpReLU
from sonde.dictionaries.folding import folded
from sonde.evals.diagnosis import diagnose
from sonde.evals.patched_pass import captures, measured_limits
from sonde.evals.texts import given_texts
from sonde.models.tiny import tiny_model

WORDS = "the quick brown fox jumps over a lazy dog while seven small cats watch from the wall"
AXES = 8


@pytest.fixture(scope="module")
def model():
    return tiny_model("gpt_neox")


@pytest.fixture(scope="module")
def texts(model):
    order = [WORDS[start:] + " " + WORDS[:start] for start in range(0, 48, 4)]
    return given_texts(model, order, context=40)


@pytest.fixture(scope="module")
def rows(model, texts):
    def read(*hooks):
        points = [parse_hook_point(hook) for hook in hooks]
        limits = measured_limits(model, texts, points, 10.0)
        passes = [one.rows.tensors for one in captures(model, texts, points, limits)]
        return [torch.cat([one[point] for one in passes]) for point in points]

    return read


def fitted(source, x, target="", y=None):
    """A dictionary without training: latents are both signs of principal axes, above a threshold.

    What a transcoder's latents write is by least squares.
    """
    several = {} if y is None else {"targets": (target,), "d_out": (y.shape[1],)}
    centre = x.mean(dim=0)
    axes = torch.linalg.svd(x - centre, full_matrices=False).Vh[:AXES]
    score = (x - centre) @ axes.T
    sparsity = JumpReLU(threshold=score.abs().median().item())
    widths = {"d_in": (x.shape[1],), "d_sae": 2 * AXES}
    made = Dictionary(Architecture(sources=(source,), sparsity=sparsity, **widths, **several))
    with torch.no_grad():
        block = made.parts[0]
        block.encoder.copy_(torch.cat([axes, -axes]))
        if y is None:
            block.decoder.copy_(block.encoder)
            made.bias[0].copy_(centre)
        else:
            block.bias.copy_(-block.encoder @ centre)
            y_centre = y.mean(dim=0)
            written = torch.linalg.lstsq(score, y - y_centre).solution
            block.decoder.copy_(torch.cat([written, -written]))
            made.bias[0].copy_(y_centre)
    return made.eval()


def renamed(dictionary, **changes):
    made = Dictionary(dictionary.architecture.model_copy(update=changes))
    made.load_state_dict(dictionary.state_dict())
    return made.eval()


def test_a_dictionary_that_is_fed_the_right_thing(model, texts, rows):
    hook = "blocks.1.mlp_out"
    found = diagnose(fitted(hook, *rows(hook)), model, texts, l0=AXES / 2)
    assert found.good
    assert (found.cause, found.tried) == ("", ())
    assert found.named.variance_explained > 0.9
    assert found.named.l0 == pytest.approx(AXES / 2, rel=0.05)


@pytest.mark.parametrize(
    ("true", "said"),
    [
        ("blocks.1.resid_post", "blocks.0.resid_post"),
        ("blocks.1.resid_post", "blocks.2.resid_post"),
        ("blocks.1.mlp_out", "blocks.1.attn_out"),
        ("blocks.1.mlp_out", "blocks.1.resid_post"),
        ("blocks.1.mlp_normed", "blocks.1.mlp_normed_ungained"),
    ],
)
def test_another_place_is_named(model, texts, rows, true, said):
    dictionary = fitted(true, *rows(true))
    found = diagnose(renamed(dictionary, sources=(said,)), model, texts)
    assert not found.good
    assert f"probably trained at {true}" in found.cause
    right = diagnose(dictionary, model, texts).named
    assert found.tried[0].variance_explained == pytest.approx(right.variance_explained)
    assert f"against {found.named.variance_explained:.2f}" in found.cause


@pytest.mark.parametrize("factor", [1 / 8, 16.0])
def test_other_units_are_named(model, texts, rows, factor):
    hook = "blocks.1.mlp_out"
    dictionary = folded(fitted(hook, *rows(hook)), [1 / factor])
    found = diagnose(dictionary, model, texts, l0=AXES / 2)
    assert not found.good
    assert "in other units" in found.cause
    scale = {f"times {factor:g}"}
    best = [one for one in found.tried if one.words in scale]
    right = diagnose(fitted(hook, *rows(hook)), model, texts).named
    assert best[0].variance_explained == pytest.approx(right.variance_explained, abs=1e-4)


def test_scales_that_bring_rows_to_a_norm_are_called_so(model, texts, rows):
    hook = "blocks.1.mlp_out"
    (x,) = rows(hook)
    norm = math.sqrt(32) / float(x.norm(dim=1).mean())
    tried = diagnose(folded(fitted(hook, x), [1 / norm / 64]), model, texts, l0=AXES / 2).tried
    assert any("brings their mean norm to sqrt(d)" in one.words for one in tried)
    assert any("each row scaled to norm 1" in one.words for one in tried)


def test_the_bias_taken_off_or_not_is_named(model, texts, rows):
    hook = "blocks.1.resid_post"
    found = diagnose(renamed(fitted(hook, *rows(hook)), centred=False), model, texts)
    assert "wants the decoder's bias taken off before encoding" in found.cause


def test_a_transcoders_source_with_and_without_gain(model, texts, rows):
    source, target = "blocks.1.mlp_normed_ungained", "blocks.1.mlp_out"
    dictionary = fitted(source, *rows(source)[:1], target, *rows(target))
    assert diagnose(dictionary, model, texts).named.variance_explained > 0.5
    wrong = renamed(dictionary, sources=("blocks.1.mlp_normed",))
    found = diagnose(wrong, model, texts)
    assert f"trained at {source} to {target}" in found.cause


def test_sinks_are_said_to_matter(model, texts, rows):
    """First tokens are far from all others in this model too."""
    hook = "blocks.1.resid_post"
    found = diagnose(fitted(hook, *rows(hook)), model, texts)
    words = next(one.words for one in found.findings if one.name == "Sinks")
    assert f"{len(texts)} of {texts.n_tokens} rows" in words


def test_latents_that_no_row_can_reach(model, texts, rows):
    hook = "blocks.1.mlp_out"
    dictionary = fitted(hook, *rows(hook))
    with torch.no_grad():
        dictionary.parts[0].bias[:3] = -1e4
    found = {one.name: one for one in diagnose(dictionary, model, texts).findings}
    assert found["Reach"].words.startswith("3 of 16 latents are dead by construction")
    assert not found["Reach"].good
