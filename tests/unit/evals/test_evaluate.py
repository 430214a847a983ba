"""Dictionaries measured with their model, beside themselves untrained and the best linear map."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from sonde.activations.row_batches import RowBatch
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.initialise import initialise
from sonde.evals import patched_pass
from sonde.evals.arms import untrained_arm
from sonde.evals.patched_pass import captures
from sonde.evals.reconstruction import comparisons, evaluate, rows_to_fit
from sonde.evals.texts import EvalTexts, given_texts
from sonde.models.tiny import tiny_model

HERE, NEXT = "blocks.0.resid_post", "blocks.1.resid_post"


def rows_of(model, texts, hook):
    limits = evaluate(model, any_dictionary(hook), texts, loss_tokens=0).limits
    point = parse_hook_point(hook)
    passes = captures(model, texts, [point], limits)
    return torch.cat([one.rows.tensors[point] for one in passes])


def any_dictionary(hook):
    made = Architecture(sources=(hook,), d_in=(32,), d_sae=96, sparsity=TopK(k=6))
    return initialise(Dictionary(made), 0)


def test_beside_an_identity_the_linear_map_is_pca_and_the_untrained_one_worse(
    model, texts, identity
):
    """The identity's latents are the coordinates' signs: 32 of 64 are active in each row."""
    dictionary = identity(HERE)
    rows = rows_to_fit(model, texts, dictionary, 10_000, 10.0)
    untrained, linear = comparisons(dictionary, rows)
    assert linear.made_by.k == 32
    found = evaluate(model, dictionary, texts, others=(untrained, linear))
    assert found.quality["dictionary"].value("variance_explained") == pytest.approx(1)
    assert found.quality["dictionary"].value("l0") == pytest.approx(32)
    assert found.quality["linear"].value("variance_explained") == pytest.approx(1)
    assert found.quality["untrained"].value("variance_explained") < 0.7
    assert found.losses.kl("untrained").value > found.losses.kl("dictionary").value
    assert found.losses.kl("linear").value == pytest.approx(0, abs=1e-5)
    assert found.n_rows + found.n_sinks == texts.counts.sum()
    assert found.n_nonfinite == 0
    assert found.quality["dictionary"].by_target[HERE]["fvu"].unit.tolist() == (
        found.losses.unit.tolist()
    )


@pytest.mark.parametrize("ratio", [None, 1.4])
def test_rows_that_are_not_finite_are_no_sinks_and_many_of_them_are_refused(
    model, texts, identity, monkeypatch, ratio
):
    real, broken = patched_pass.forward, {1: 3}

    def with_nan(*args, **rest):
        done = real(*args, **rest)
        for text, many in broken.items():
            done.activations[parse_hook_point(HERE)][text, 2 : 2 + many, 0] = torch.nan
        return done

    whole = evaluate(model, identity(HERE), texts, loss_tokens=0, sink_ratio=ratio)
    monkeypatch.setattr(patched_pass, "forward", with_nan)
    found = evaluate(model, identity(HERE), texts, loss_tokens=0, sink_ratio=ratio)
    assert found.n_nonfinite == 3
    assert found.n_rows + found.n_sinks + 3 == texts.counts.sum()
    assert whole.n_sinks - 3 <= found.n_sinks <= whole.n_sinks
    assert (whole.n_sinks > 3) == (ratio is not None)
    broken[2] = 30
    with pytest.raises(SondeError, match="33 of 468 rows of held-out text hold NaN or Inf"):
        evaluate(model, identity(HERE), texts, loss_tokens=0, sink_ratio=ratio)


def test_the_linear_map_of_rank_6_is_sklearns(model, texts):
    dictionary = any_dictionary(HERE)
    _, linear = comparisons(dictionary, rows_to_fit(model, texts, dictionary, 10_000, 10.0))
    found = evaluate(model, dictionary, texts, others=(linear,), loss_tokens=0)
    x = rows_of(model, texts, HERE).double().numpy()
    theirs = PCA(6).fit(x)
    made = theirs.inverse_transform(theirs.transform(x))
    expected = r2_score(x, made, multioutput="variance_weighted")
    assert found.quality["linear"].value("variance_explained") == pytest.approx(expected, rel=1e-5)
    assert found.losses is None


def test_a_crosscoder_has_both_its_targets(model, texts):
    made = Architecture(sources=(HERE, NEXT), d_in=(32, 32), d_sae=64, sparsity=TopK(k=8))
    dictionary = initialise(Dictionary(made), 0)
    others = comparisons(dictionary, rows_to_fit(model, texts, dictionary, 500, None))
    found = evaluate(model, dictionary, texts, others=others)
    assert set(found.quality["dictionary"].by_target) == {HERE, NEXT}
    assert [len(one) for one in found.means] == [32, 32]
    assert np.isfinite(found.losses.recovered("dictionary").value)


def test_another_models_dictionary_is_refused(texts, identity):
    with pytest.raises(SondeError, match=r"width at blocks\.0\.resid_post is 32, and tiny llama"):
        evaluate(tiny_model("llama", hidden_size=48), identity(HERE), texts)


def test_texts_are_cut_and_named_by_their_first_tokens(model):
    one = given_texts(model, ["abcdef", "", "ghij", "abcdefgh"], context=6)
    assert one.lengths.tolist() == [6, 4, 6]
    assert one.counts.sum(axis=1).tolist() == [5, 3, 5]
    assert one.n_documents == 3
    names = one.unit(np.array([0, 2, 3]))
    assert names[0] == names[2] != names[1]
    alone = given_texts(model, ["ghij"])
    assert alone.unit(np.array([0]))[0] == names[1]
    some = one.spread(11)
    assert some.ids.tolist() == one.ids[:2].tolist()
    assert some.unit(np.array([0, 2])).tolist() == names[:2].tolist()
    assert len(one.spread(1)) == 1
    assert one.spread(100) is one
    assert isinstance(one.some(np.array([1])), EvalTexts)
    with pytest.raises(SondeError, match="None of 2 texts"):
        given_texts(model, ["", "a"])


def test_an_untrained_transcoder_has_learnt_nothing_of_the_rows():
    """Training would turn its decoder towards the targets of these rows, which is a step of it."""
    made = torch.Generator().manual_seed(0)
    x = torch.randn(500, 6, generator=made)
    y = (x @ torch.randn(6, 5, generator=made)).relu()
    architecture = Architecture(
        sources=("blocks.0.resid_mid",), targets=("blocks.0.mlp_out",), d_in=(6,), d_out=(5,),
        d_sae=32, sparsity=TopK(k=4),
    )  # fmt: skip
    hooks = [parse_hook_point(hook) for hook in ("blocks.0.resid_mid", "blocks.0.mlp_out")]
    rows = RowBatch(dict(zip(hooks, (x, y), strict=True)), torch.arange(500))
    (made_of,) = untrained_arm(architecture, rows).targets([x])
    left = (y - made_of).square().sum() / (y - y.mean(dim=0)).square().sum()
    assert float(left) > 0.9
