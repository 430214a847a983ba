"""``sonde show`` and ``sonde verify`` of a dictionary, its latents, and one of these."""

import pytest
import torch

from sonde.activations.origin import Origin
from sonde.activations.row_batches import RowBatch
from sonde.cli.show import show_file
from sonde.cli.show_latent import share, word
from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.artifact import FILE, Figure, save_dictionary
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.opening import read_dictionary
from sonde.dictionaries.initialise import initialise
from sonde.dictionaries.samples import (
    SampledFrom,
    SampleSettings,
    collect,
    load_samples,
    save_samples,
)
from sonde.dictionaries.samples.browsing import browse
from sonde.dictionaries.sparsity import ReLU
from sonde.experiments.results import identify, verify

HOOK = parse_hook_point("blocks.3.resid_mid")
WORDS = ("the", "cat", "sat\n", "on")


class Letters:
    """A corpus of one chunk of words."""

    context = 8
    fingerprint = "letters"
    ids = torch.tensor([[0, 1, 2, 3, 0, 1, 3, 0]]).numpy()

    def chunk(self, numbers):
        return self.ids[numbers]

    def documents_of(self, token):
        return token * 0

    def text_of(self, ids):
        return "".join(" " + WORDS[one] for one in ids)

    def pieces(self, ids):
        return [" " + WORDS[one] for one in ids]


@pytest.fixture
def folder(tmp_path):
    made = Architecture(
        sources=(str(HOOK),), targets=("blocks.3.mlp_out",), d_in=(4,), d_out=(4,), d_sae=6,
        groups=(2, 4), skip=True, sparsity=ReLU(l1=0.5),
    )  # fmt: skip
    dictionary = Dictionary(made)
    with torch.no_grad():
        dictionary.parts[0].encoder[:4] = torch.diag(torch.tensor([1.0, 2.0, 4.0, 0.05]))
    origin = Origin(model="tiny", revision="main", n_layers=6)
    file = save_dictionary(
        dictionary, tmp_path / "dictionary.safetensors", origin, note="a try",
        trained={"steps": 7, "texts": "fables"},
        metrics={"variance_explained": Figure(value=0.75, low=0.5, high=0.875, n=12, level=0.95),
                 "l0": Figure(value=None, low=None, high=None, n=0, level=0.95)},
    )  # fmt: skip
    rows = torch.eye(4)[torch.tensor(Letters.ids[0])]
    source = SampledFrom(part="held-out", sha256=sha256_file(file))
    found = collect(
        dictionary, lambda: [RowBatch({HOOK: rows}, torch.arange(8))], SampleSettings(context=2),
        source, corpus=Letters(),
    )  # fmt: skip
    save_samples(found, tmp_path / "samples")
    return tmp_path


def test_a_dictionary_tells_what_it_is_and_what_its_latents_fire_on(folder, shown):
    for path in (folder, folder / "dictionary.safetensors"):
        assert identify(path).kind == "dictionary"
        assert verify(path) == []
        said = shown(path)
        for words in (
            "Matryoshka skip transcoder with 6 latents, from blocks.3.resid_mid to",
            "blocks.3.mlp_out",
            "ReLU, with an L1 penalty (l1 0.5)",
            "the first 2, 6",
            "an affine way around",
            "a try",
            "tiny",
            "fables",
            "95 % interval",
            "0.5 to 0.875",
            "Weights that need a look",
            "6 of 6 decoder rows are zero",
            "8 tokens of the held-out part",
            "The 4 latents that fire most often",
            "--latent 0",
        ):
            assert words in said
        line = next(line.split() for line in said.splitlines() if line.startswith("1 "))
        assert line[1:] == ["·cat", "25", "%", "2", "2", "1", "1"]


def test_one_latent_shows_its_histogram_and_texts(folder, capsys):
    show_file(folder, latent=1)
    said = capsys.readouterr().out
    assert "25 % of 8 tokens" in said
    assert "█" * 40 in said
    assert "the« cat» sat⏎ on" in said
    assert "·cat 100%" in said
    show_file(folder, latent=5)
    assert "never fired" in capsys.readouterr().out
    with pytest.raises(SondeError, match="no latent 6"):
        show_file(folder, latent=6)


def listed(capsys):
    """Return the numbers of the latents in the table that was printed."""
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [int(line[0]) for line in lines if line and line[0].isdigit()]


def test_latents_are_found_by_texts_and_tokens_and_sorted(folder, capsys):
    for path in (folder, folder / "samples"):
        show_file(path, sort="largest")
        assert listed(capsys) == [2, 1, 0]
        show_file(path, sort="fires")
        assert listed(capsys)[0] == 0
        show_file(path, find="CAT S")  # runs over two tokens, within the texts of several
        found = listed(capsys)
        assert 1 in found and 3 not in found
    samples = load_samples(folder / "samples")
    for words in ("the", "on", " sat", "the cat", "e c"):
        wanted = {
            number
            for number in range(6)
            if any(words in "".join(one.pieces) for one in samples.contexts(number))
            or any(words in one.text for one in samples.latent(number).tokens)
        }
        assert set(browse(samples, 20, find=words)) == wanted
    assert browse(samples, 1) == [0] and browse(samples, 2, find="cat") == [0, 1]
    with pytest.raises(SondeError, match="No latent has 'zebra'"):
        show_file(folder, find="zebra")
    with pytest.raises(SondeError, match="cannot be sorted by 'larges'"):
        show_file(folder, sort="larges")


def test_samples_alone_are_shown_and_what_has_no_latents_says_so(folder, capsys):
    for path in (folder / "samples", folder / "samples" / "samples.json"):
        assert identify(path).kind == "dictionary samples"
        assert verify(path) == []
        show_file(path)
        assert "Samples of 6 latents" in capsys.readouterr().out
    show_file(folder / "samples", latent=2)
    assert "« sat⏎»" in capsys.readouterr().out
    (folder / "samples" / "latents.parquet").write_bytes(b"")
    assert "was altered" in verify(folder)[0]
    (folder / "samples" / "samples.json").unlink()
    show_file(folder)
    assert "\nLatents\n" not in capsys.readouterr().out
    with pytest.raises(SondeError, match="has no samples of latents"):
        show_file(folder, latent=1)


def test_sound_weights_are_not_mentioned(tmp_path, shown):
    made = Architecture(sources=(str(HOOK),), d_in=(4,), d_sae=6, sparsity=ReLU())
    sound = initialise(Dictionary(made), 0)
    said = shown(save_dictionary(sound, tmp_path / "it.safetensors", Origin()))
    assert "SAE with 6 latents" in said and "need a look" not in said


def test_samples_of_another_file_are_said_to_be(folder, capsys):
    file = folder / "dictionary.safetensors"
    save_dictionary(Dictionary(Architecture(sources=(str(HOOK),), d_in=(4,), d_sae=6,
                                            sparsity=ReLU())), file, Origin())  # fmt: skip
    show_file(file)
    assert "Caution: the samples" in capsys.readouterr().out


def test_a_latent_of_something_else_is_refused(tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("name: e\n")
    with pytest.raises(SondeError, match="has no latents"):
        show_file(file, latent=1)


def test_words_and_shares():
    assert word(" a\n") == "·a⏎"
    assert (share(0.5), share(0.000123)) == ("50 %", "0.012 %")


def test_what_is_shown_can_be_converted_by_the_same_path(folder):
    """A stage leaves dictionaries in folders of their own, beside their samples."""
    by_folder, by_file = (read_dictionary(str(one)) for one in (folder, folder / FILE))
    assert by_folder.architecture == by_file.architecture
    weights = by_file.dictionary.state_dict()
    for name, one in by_folder.dictionary.state_dict().items():
        assert torch.equal(one, weights[name])
