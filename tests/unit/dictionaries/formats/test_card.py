"""The card of a published dictionary: names of models, figures, and what to know."""

import pytest

from sonde.activations.origin import Origin
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.artifact import Figure
from sonde.dictionaries.findings import faults
from sonde.dictionaries.formats.card import Published, card
from sonde.dictionaries.formats.content import Loaded
from sonde.dictionaries.formats.hub import Repository
from sonde.dictionaries.initialise import initialise

MADE = Architecture(sources=("blocks.3.resid_post",), d_in=(6,), d_sae=16, sparsity=TopK(k=4))


def of(model="", given=None, **more):
    dictionary = initialise(Dictionary(MADE), 0)
    published = Published(Repository("me/it"), "sonde", "it.safetensors", given)
    return card(Loaded(dictionary, Origin(model=model), **more), published, ())


@pytest.mark.parametrize(
    ("model", "title", "on_hub"),
    [
        ("google/gemma-2-2b", "google/gemma-2-2b", True),
        ("random:google/gemma-2-2b", "random:google/gemma-2-2b", False),
        ("/home/me/models/gemma", "gemma", False),
        ("random:~/models/gemma/", "random:gemma", False),
        ("../models/gemma", "../models/gemma", False),
        ("gemma-2-2b", "gemma-2-2b", False),
        ("", "a language model", False),
    ],
)
def test_the_models_name(model, title, on_hub):
    found = of(model)
    assert f"# SAE of {title}\n" in found
    assert (f"\nbase_model: {model}\n" in found) == ("base_model" in found) == on_hub
    assert "/home" not in found and "~" not in found


def test_a_folder_here_comes_before_the_hubs_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "gemma").mkdir(parents=True)
    assert "base_model" not in of("models/gemma")


def test_figures_are_the_files_own_unless_others_are_given():
    own = {
        "l0": Figure(value=31.5, low=30, high=33, n=1200, level=0.95),
        "fvu": Figure(value=None, low=None, high=None, n=0, level=0.95),
    }
    found = of(metrics=own)
    assert "| l0 | 31.5 | 30 to 33 | 0.95 | 1,200 |" in found
    assert "| fvu | undefined |  | 0.95 | 0 |" in found
    given = of(given={"FVU": 0.25}, metrics=own)
    assert "| FVU | 0.25 |" in given and "l0" not in given
    assert "## Measured" not in of()


def test_the_recipe_and_what_needs_a_look():
    broken = initialise(Dictionary(MADE), 0)
    broken.parts[0].decoder.data[:2] = 0
    found = of(trained={"steps": 7, "sink_ratio": 10.0}, faults=faults(broken))
    assert "## Trained" in found and "| sink ratio | 10 |" in found
    assert "- Decoder norms: 2 of 16 rows are zero" in found
    assert "## To know" not in of() and "## Trained" not in of()
