"""Texts are read as their activations would be."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sonde import probes
from sonde.activations.extraction import extract
from sonde.activations.subset import Subset
from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer

ALONE = {"resamples": 5, "shuffles": 0, "directions": 0, "baseline": False, "folds": 4}
TEXTS = [f"{word} number {number}" for number in range(8) for word in ("a calm", "an angry sea,")]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONDE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model(own_cache):
    return tiny()


def tiny(seed=0):
    hf = tiny_hf("llama", seed=seed, vocab_size=320)
    name = f"llama{seed}"
    return wrap(hf, byte_tokenizer(320), name=name, revision="0", fingerprint=name)


def examples():
    return [
        Example(str(number), text, label="angry" if "angry" in text else "calm")
        for number, text in enumerate(TEXTS)
    ]


@pytest.fixture(scope="module")
def acts(model):
    return extract(
        model, examples(), positions=("prompt[-1]", "all.each"), layers=1, progress=False
    )


def at(acts, position):
    return Subset(acts, np.flatnonzero(acts.rows.position == position), (), acts.hooks)


@pytest.fixture(scope="module")
def linear(acts):
    return probes.mean_difference(at(acts, "prompt[-1]"), examples(), **ALONE).best


def test_a_text_scores_as_its_activations_do(linear, model, acts):
    want = linear.apply(at(acts, "prompt[-1]"))
    torch.testing.assert_close(linear.read(model, TEXTS), want, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(linear.score(TEXTS[3], model=model), want[3:4], atol=1e-4, rtol=1e-4)
    # In another order, and as examples.
    turned = linear.read(model, examples()[::-1])
    torch.testing.assert_close(turned, want.flip(0), atol=1e-4, rtol=1e-4)


def test_every_token_has_its_text_and_score(linear, model, acts):
    found = linear.tokens(model, TEXTS[1])
    here = at(acts, "all.each")
    want = linear.apply(here)[torch.from_numpy(here.rows.example == "1")]
    torch.testing.assert_close(
        torch.tensor([one.score for one in found]).double(), want, atol=1e-4, rtol=1e-4
    )
    rendered = model.render(Example("1", TEXTS[1]))
    assert [one.token for one in found] == [
        rendered.text[start:end] for start, end in rendered.offsets.tolist()
    ]
    assert "".join(one.token for one in found).count("angry") == 1


def test_a_probe_that_pools_reads_a_text_as_one(model, acts):
    probe = probes.multi_token(
        at(acts, "all.each"), examples(), penalties=(1.0,), epochs=5, **ALONE
    ).best
    (said,) = probe.read(model, TEXTS[2])
    tokens = probe.tokens(model, TEXTS[2])
    assert float(said) == pytest.approx(max(one.score for one in tokens), abs=1e-4)


@pytest.mark.parametrize("position", ["all.each", "user.each"])
def test_an_attention_probes_tokens_have_shares_of_what_it_says(model, position):
    here = extract(model, examples(), positions=position, layers=1, progress=False)
    probe = probes.attention(here, examples(), penalties=(1.0,), epochs=25, **ALONE).best
    (said,) = probe.read(model, [TEXTS[3]])
    tokens = probe.tokens(model, TEXTS[3])
    whole = sum(one.score for one in tokens) + float(probe.reader.offset)
    assert 1 / (1 + np.exp(-whole)) == pytest.approx(float(said), abs=1e-4)
    own = set(parse_position(position).tokens(model.render(Example("3", TEXTS[3])).spans))
    assert all((one.score != 0) == (at in own) for at, one in enumerate(tokens))


def test_shares_need_the_probes_position(model):
    spoken = [replace(one, response=f"yes {one.id}") for one in examples()]
    here = extract(model, spoken, positions="response.each", layers=1, progress=False)
    probe = probes.attention(here, spoken, penalties=(1.0,), epochs=3, **ALONE).best
    said = {one.token for one in probe.tokens(model, spoken[0]) if one.score != 0}
    assert said == set("yes 0")
    with pytest.raises(SondeError, match="response"):
        probe.tokens(model, TEXTS[0])


def test_what_cannot_be_read_is_named(linear, model, acts):
    with pytest.raises(SondeError, match=r"needs the model .* probe.score\(text, model=model\)"):
        linear.score("a text")
    with pytest.raises(SondeError, match="fitted on"):
        linear.read(tiny(5), ["a text"])
    each = probes.mean_difference(at(acts, "all.each"), examples(), **ALONE).best
    with pytest.raises(SondeError, match=r"Use tokens\(\)"):
        each.read(model, TEXTS[:2])
