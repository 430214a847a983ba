"""Every fault is planted once on a dictionary that works, and found again."""

import math

import pytest
import torch

from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, BatchTopK, Dictionary, JumpReLU, TopK
from sonde.dictionaries.folding import folded
from sonde.dictionaries.initialise import initialise
from sonde.evals.diagnosis import diagnose
from sonde.evals.diagnosis_weights import reach, weight_findings
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


def of_weights(change, sparsity=None):
    made = Architecture(
        sources=("blocks.0.resid_post",), d_in=(8,), d_sae=400, sparsity=sparsity or TopK(k=4)
    )
    dictionary = initialise(Dictionary(made), 0)
    with torch.no_grad():
        change(dictionary.parts[0])
    return {one.name: one for one in weight_findings(dictionary)}


def test_decoder_norms_of_a_few_or_of_all():
    assert "all alike" in of_weights(lambda block: None)["Decoder norms"].words
    few = of_weights(lambda block: block.decoder[:2].mul_(1.07))["Decoder norms"]
    assert not few.good
    assert "2 of 400 rows drift from the others by up to 7%" in few.words
    free = of_weights(lambda block: block.decoder.mul_(torch.linspace(1, 3, 400)[:, None]))
    assert free["Decoder norms"].good
    gone = of_weights(lambda block: block.decoder[5].zero_())["Decoder norms"]
    assert "1 of 400 rows are zero" in gone.words


def test_thresholds_unset_zero_or_frozen():
    unset = of_weights(lambda block: None, BatchTopK(k=4))["Thresholds"]
    assert not unset.good
    assert "not set" in unset.words
    jump = JumpReLU(threshold=0.001)
    assert "for all" in of_weights(lambda block: None, jump)["Thresholds"].words
    zero = of_weights(lambda block: block.threshold.zero_(), jump)["Thresholds"]
    assert not zero.good
    frozen = of_weights(lambda block: block.threshold[:100].mul_(3), jump)["Thresholds"]
    assert "300 of 400 are 0.001 to the digit: frozen" in frozen.words
    moved = of_weights(lambda block: block.threshold.copy_(torch.linspace(0.1, 1, 400)), jump)
    assert moved["Thresholds"].good


def test_nan_and_latents_that_never_fire():
    broken = of_weights(lambda block: block.encoder[3, 3].fill_(torch.nan))
    assert list(broken) == ["Weights"]
    assert "encoder have NaN" in broken["Weights"].words
    silent = of_weights(lambda block: (block.encoder[:7].zero_(), block.bias[:7].fill_(-1)))
    assert "7 of 400 can never fire" in silent["Latents"].words


def test_reach_by_hand():
    """Row (3, 4) with bias -10 fires from norm 2 on; a bias of 1 always may."""
    made = Architecture(
        sources=("blocks.0.resid_post",), d_in=(2,), d_sae=3, sparsity=JumpReLU(threshold=5.0)
    )
    block = Dictionary(made).parts[0]
    with torch.no_grad():
        block.encoder.copy_(torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]))
        block.bias.copy_(torch.tensor([-10.0, 6.0, 0.0]))
    assert reach(block).tolist() == [3.0, 0.0, math.inf]
