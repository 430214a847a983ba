"""What a dictionary stage says became of its rows: the same, whether or not it was stopped."""

import numpy as np
import pytest

from sonde.activations.shuffled import CorpusRows
from sonde.dictionaries.training.trainer import Trainer
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.dictionary_counts import ROUNDS, rows_in_words

EXPERIMENT = """\
name: letters
model: {name: "random:llama", check: false}
stages:
  train:
    kind: dictionary
    corpus: {texts: texts, context: 16, held_out: 0.3, held_out_tokens: 600, epochs: 2}
    dictionaries: {sae: {sources: [blocks.1.resid_post], d_sae: 24, sparsity: {kind: topk, k: 4}}}
    shuffle: {batch: 64, round_rows: 256, sink_ratio: 1.5}
    samples: null
    checkpoints: {every: 8}
"""


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "texts").mkdir()
    for number in range(30):
        text = "".join(rng.choice(list("aaabbcd e"), 60 + number))
        (tmp_path / "texts" / f"f{number}.txt").write_text(text)
    (tmp_path / "letters.yaml").write_text(EXPERIMENT)
    return tmp_path / "letters.yaml"


def ran(experiment, out):
    said: list[str] = []
    options = Options(out=experiment.parent / out, say=said.append, progress=False)
    (report,) = run(read_specification(experiment), options)
    return report.finished["train"], said


def test_rows_are_accounted_for_alike_when_training_was_stopped(experiment, monkeypatch):
    made, real = [], CorpusRows._made_first
    monkeypatch.setattr(
        CorpusRows, "_made_first", lambda self, n: (made.append(n), real(self, n))[1]
    )
    whole, said = ran(experiment, "whole")
    assert made == [16_384]  # once, for the start and for what it is held against
    counts = whole.summary["row_counts"]
    train, held = counts["train"], counts["held_out"]
    for part in (train, held):
        assert part["read"] == part["kept"] + part["sink"] + part["separator"] + part["non_finite"]
        assert part["sink"] > 0 and part["separator"] > 0 and part["non_finite"] == 0
    assert held["read"] == whole.summary["held_out_tokens"] * 15 // 16
    given = train["kept"] - train["left_over"] + train["repeated"]
    assert 0 <= given - whole.summary["rows"] < 64
    assert train["rounds_unknown"] == 0
    for part, of in ((train, "to train on"), (held, "to score on")):
        line = f"train: {part['read']:,} rows were read {of}, and {part['separator']:,} separators"
        assert any(one.startswith(line) for one in said)

    steps, taken = Trainer._step, []

    def stopping(self, batch):
        taken.append(self.done)
        if len(taken) == 20:
            raise KeyboardInterrupt
        return steps(self, batch)

    monkeypatch.setattr(Trainer, "_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        ran(experiment, "stopped")
    again, _ = ran(experiment, "stopped")
    assert taken[20] == 16
    assert again.summary["row_counts"] == counts
    files = [(one.folder / ROUNDS).read_bytes() for one in (whole, again)]
    assert files[0] == files[1]


def test_words_name_what_was_left_out_and_nothing_else():
    none = dict.fromkeys(("separator", "sink", "non_finite"), 0)
    assert rows_in_words({"read": 1200, **none}, "to score on") == (
        "1,200 rows were read to score on, and none left out."
    )
    some = {"read": 1200, "separator": 0, "sink": 3, "non_finite": 2}
    more = {"left_over": 5, "repeated": 1, "rounds_unknown": 4}
    assert rows_in_words(some | more, "to train on") == (
        "1,200 rows were read to train on, and 3 attention sinks, 2 with NaN or Inf left out. "
        "5 were left over in their rounds. 1 were given twice. "
        "Of 4 earlier rounds the counts are lost."
    )
