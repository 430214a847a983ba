"""Samples of a dictionary over a small corpus: texts, activations around, files."""

import json

import numpy as np
import pytest
import torch
from standing import Standing

from sonde.activations.row_batches import RowBatch
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.samples import (
    SampledFrom,
    SampleSettings,
    collect,
    collecting,
    heap_for,
    load_samples,
    of_training,
    save_samples,
)
from sonde.dictionaries.samples.colours import activations_around, fired
from sonde.dictionaries.samples.pieces import Pieces
from sonde.dictionaries.samples.windows import windows
from sonde.dictionaries.sparsity import ReLU

HOOK = parse_hook_point("blocks.1.resid_post")
CORPUS = Standing.of("the cat sat", "on the mat the cat", "a dog sat on the mat", context=7)
SETTINGS = SampleSettings(per_latent=3, uniform=4, strata=2, context=2, threshold=0.5, texts=5)
HELD_OUT = SampledFrom(part="held-out", dictionary="test")


def planted() -> tuple[Dictionary, torch.Tensor]:
    """Return a dictionary with a latent a word ("the" twice as strong), and all rows but one."""
    n = len(CORPUS.words)
    rows = torch.eye(n)[CORPUS.ids] * torch.where(
        torch.tensor(CORPUS.ids) == CORPUS.words.index("the"), 2.0, 1.0
    ).unsqueeze(1)
    architecture = Architecture(
        sources=(str(HOOK),), d_in=(n,), d_sae=n + 1, sparsity=ReLU(), centred=False
    )
    dictionary = Dictionary(architecture)
    with torch.no_grad():
        dictionary.parts[0].encoder[:n] = torch.eye(n)
        dictionary.parts[0].decoder[:n] = torch.eye(n)
    return dictionary, rows


def batches(rows: torch.Tensor, left_out: int = 0):
    """Return what gives the rows in batches of 4, one token left out as sinks are."""
    token = torch.tensor([one for one in range(len(rows)) if one != left_out])
    return lambda: (RowBatch({HOOK: rows[part]}, part) for part in token.split(4))


def test_texts_and_activations_by_hand():
    dictionary, rows = planted()
    found = collect(dictionary, batches(rows), SETTINGS, HELD_OUT, corpus=CORPUS)
    the = CORPUS.words.index("the")
    facts = found.latent(the)
    # of its 4 places the first is left out
    assert (facts.fired, facts.mean, facts.largest) == (3, 2.0, 2.0)
    assert facts.rate == pytest.approx(3 / 13)
    assert facts.specialisation == 1
    assert [(word.text.strip(), word.number) for word in facts.tokens] == [("the", 1.0)]
    contexts = found.contexts(the)
    assert len({one.token for one in contexts}) == len(contexts) == 3
    first = next(one for one in contexts if one.token == 4)
    # neither over the document's beginning nor over the chunk's end
    assert [piece.strip() for piece in first.pieces] == ["on", "the", "mat", "the"]
    assert (first.place, first.values, first.document) == (1, (0.0, 2.0, 0.0, 2.0), 1)
    cut = found.contexts(CORPUS.words.index("cat"))
    assert {tuple(piece.strip() for piece in one.pieces) for one in cut} == {
        ("the", "cat", "sat"), ("cat",),
    }  # fmt: skip
    assert next(one for one in cut if len(one.pieces) == 3).values == (None, 1.0, 0.0)


def test_rows_are_read_again_where_too_much_fired_to_remember(monkeypatch):
    dictionary, rows = planted()
    once = collect(dictionary, batches(rows), SETTINGS, HELD_OUT, corpus=CORPUS)
    monkeypatch.setattr(collecting, "MOST", 5)
    calls = []

    def counted():
        calls.append(1)
        return batches(rows)()

    again = collect(dictionary, counted, SETTINGS, HELD_OUT, corpus=CORPUS)
    assert len(calls) == 2
    assert again.samples.equals(once.samples)


def test_latents_of_several_blocks_are_looked_up_by_their_number():
    first, second = torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    found = fired((Latents.sparse(first), Latents(second)), torch.tensor([7, 5]), 4)
    values = activations_around([found], np.array([2, 3]), np.array([[5, 7], [-1, 5]]))
    assert values[0].tolist() == [0.0, 3.0]
    assert np.isnan(values[1, 0])
    assert values[1, 1] == 4.0


def test_latents_are_accounted_for():
    dictionary, rows = planted()
    with torch.no_grad():
        dictionary.parts[0].encoder[CORPUS.words.index("dog")] *= 0.3
    found = collect(dictionary, batches(rows), SETTINGS, HELD_OUT, corpus=CORPUS)
    one = found.accounting
    assert (one.latents, one.silent, one.faint, one.rows) == (8, 1, 1, 13)
    assert one.sampled == one.latents - one.silent - one.faint
    silent = found.latent(7)
    assert (silent.fired, silent.mean, silent.largest, silent.diversity) == (0, None, None, None)
    assert (silent.tokens, found.contexts(7)) == ((), ())
    faint = found.latent(CORPUS.words.index("dog"))
    assert (faint.fired, faint.samples, faint.histogram[0]) == (1, 0, 1)
    assert found.samples.num_rows == one.samples
    assert sum(row is not None for row in found.samples["pieces"].to_pylist()) == one.texts
    with pytest.raises(SondeError, match="no latent 8: the dictionary has 8"):
        found.latent(8)


def test_samples_of_training_have_the_activation_of_their_token_alone():
    dictionary, rows = planted()
    heap = heap_for(dictionary, SETTINGS)
    for step, batch in enumerate(batches(rows)()):
        heap.offer(dictionary.encode([batch.tensors[HOOK]]), batch.token, 100 * step)
    found = of_training(heap, dictionary, SampledFrom(part="training"), corpus=CORPUS)
    context = found.contexts(CORPUS.words.index("dog"))[0]
    assert context.step == 200
    assert set(context.values) == {None}
    bare = of_training(heap, dictionary, SampledFrom(part="training"))
    assert bare.accounting.texts == 0
    assert bare.latent(0).fired == found.latent(0).fired
    assert bare.contexts(0) == ()


def test_a_folder_gives_back_what_was_saved_and_refuses_what_was_altered(tmp_path):
    dictionary, rows = planted()
    found = collect(dictionary, batches(rows), SETTINGS, HELD_OUT, corpus=CORPUS)
    again = load_samples(save_samples(found, tmp_path / "samples"))
    assert again.latents.equals(found.latents)
    assert again.samples.equals(found.samples)
    assert (again.source, again.settings, again.accounting) == (
        found.source, found.settings, found.accounting,
    )  # fmt: skip
    about = tmp_path / "samples" / "samples.json"
    given = json.loads(about.read_text())
    about.write_text(json.dumps(given | {"format": 9}))
    with pytest.raises(SondeError, match="format 9"):
        load_samples(tmp_path / "samples")
    about.write_text(json.dumps(given))
    table = tmp_path / "samples" / "samples.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    with pytest.raises(SondeError, match="was altered"):
        load_samples(tmp_path / "samples")
    table.unlink()
    with pytest.raises(SondeError, match="is missing"):
        load_samples(tmp_path / "samples")


def test_saving_twice_gives_equal_files(tmp_path):
    dictionary, rows = planted()
    for name in ("one", "two"):
        save_samples(
            collect(dictionary, batches(rows), SETTINGS, HELD_OUT, corpus=CORPUS), tmp_path / name
        )
    for file in ("samples.json", "latents.parquet", "samples.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("reach", [0, 1, 9])
def test_windows_stay_in_chunk_and_document(reach):
    token = np.arange(14)
    found = windows(CORPUS, token, reach)
    documents = CORPUS.documents_of(token)
    for line, one in enumerate(token):
        own = [
            other
            for other in range(one - reach, one + reach + 1)
            if 0 <= other < 14 and other // 7 == one // 7 and documents[other] == documents[one]
        ]
        assert [number for number in found.token[line] if number >= 0] == own
        assert [number for number in found.ids[line] if number >= 0] == CORPUS.ids[own].tolist()
    assert (found.token[:, found.middle] == token).all()


def test_pieces_of_characters_that_several_tokens_make():
    from sonde.models.tokenizers import byte_tokenizer

    tokenizer = byte_tokenizer(384)

    class Bytes(Standing):
        def text_of(self, ids):
            return tokenizer.decode(list(ids))

        def chunk(self, numbers):
            return np.array([tokenizer.encode("word", add_special_tokens=False)])

        def pieces(self, ids):
            return ["whole", *[""] * (len(ids) - 1)]

    pieces = Pieces(Bytes((), (), 4))
    plain = tokenizer.encode("a cat", add_special_tokens=False)
    assert pieces.of(plain) == ["a", " ", "c", "a", "t"]
    assert pieces.of(tokenizer.encode("é", add_special_tokens=False)) == ["whole", ""]
