"""The report of an experiment that trains dictionaries: texts, training, latents, provenance."""

import re

import numpy as np
import pytest

from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification

EXPERIMENT = """\
name: letters
question: What do letters look like?
model: {name: "random:llama", check: false}
stages:
  train:
    kind: dictionary
    corpus: {texts: texts, context: 16, held_out: 0.3, held_out_tokens: 300}
    dictionaries:
      sae: {sources: [blocks.1.resid_post], d_sae: 24, sparsity: {kind: topk, k: 4}}
      nested:
        sources: [blocks.1.resid_mid]
        targets: [blocks.1.mlp_out]
        groups: [8, 16]
        sparsity: {kind: batch_topk, k: 4}
    training: {lr: 0.01}
    shuffle: {batch: 64, round_rows: 256}
    samples: {per_latent: 4, show: 30}
    log: 5
  report: {kind: report}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    rng = np.random.default_rng(0)
    (folder / "texts").mkdir()
    for number in range(30):
        text = "".join(rng.choice(list("aaabbcd e"), 60 + number))
        (folder / "texts" / f"f{number}.txt").write_text(text)
    (folder / "texts" / "empty.txt").write_text(" ")
    (folder / "letters.yaml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONDE_CACHE", str(folder / "cache"))
        options = Options(out=folder / "runs", say=lambda said: None, progress=False)
        (found,) = run(read_specification(folder / "letters.yaml"), options)
    return found, found.finished["report"].open().read_text()


def titles(text):
    return [one.strip() for one in re.findall(r"<h2>(.*?)</h2>", text)]


def test_the_page_has_texts_training_and_latents_of_each_dictionary(page):
    assert titles(page[1]) == [
        "Dictionaries, on text that training did not see",
        "What became of the texts",
        "What became of the rows that were read",
        "Training of sae",
        "Training of nested",
        "What the latents are active on: sae",
        "What the latents are active on: nested",
        "How this was made",
    ]


def test_facts_stand_on_top(page):
    found, text = page
    summary = found.finished["train"].summary
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text[: text.index("<h2>")]))
    assert facts == {
        "Model": "random:llama",
        "Reads and writes": "blocks.1.resid_post; blocks.1.resid_mid to blocks.1.mlp_out",
        "Texts": "texts",
        "Rows": f"{summary['rows']:,}",
        "Held-out tokens": f"{summary['held_out_tokens']:,}",
    }


def test_documents_add_up(page):
    summary = page[0].finished["train"].summary
    documents = summary["documents"]
    both = documents["train"] + documents["held_out"]
    assert documents["read"] == both + sum(documents["not_kept"].values()) == 30
    assert summary["left_out"]["empty"] == 1
    assert "<dt>Not read: empty</dt><dd>1</dd>" in page[1]


def test_rows_that_were_left_out_are_shown_with_their_reasons(page):
    counts = page[0].finished["train"].summary["row_counts"]
    text = page[1]
    shown = text[text.index("What became of the rows") : text.index("Training of sae")]
    assert f"{counts['train']['separator']:,}" in shown and "separators" in shown
    assert f"<dt>Held-out rows scored</dt><dd>{counts['held_out']['kept']:,}</dd>" in shown
    separators = counts["held_out"]["separator"]
    assert f"<dt>Held out, separators</dt><dd>{separators:,}</dd>" in shown
    assert "NaN" not in shown  # there was none


def test_prefixes_are_drawn_with_their_held_out_figures(page):
    found, text = page
    told = found.finished["train"].summary["dictionaries"]["nested"]
    assert told["prefixes"] == [8, 24]
    assert told["held_out"]["fvu_prefix_1"]["value"] == told["fvu_by_prefix"][0]
    drawn = text[text.index("Training of nested") :]
    assert "the first 8" in drawn and "all 24 latents" in drawn
    assert "active in none of the last" in drawn


def test_two_browsers_share_what_is_shown(page):
    numbers = [int(one) for one in re.findall(r"(\d+) of 24 latents are shown", page[1])]
    assert len(numbers) == 2 and all(one <= 15 for one in numbers)


def test_the_page_needs_nothing_else_and_names_its_model(page):
    text = page[1]
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert "sonde run" in text and "random:llama" in text[text.index("How this was made") :]
