"""Dictionaries on the hub: the real client against a small server here, and without network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.dictionaries.formats.hub_server import COMMIT, READ_ONLY, Hub, serving

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.artifact import Figure, save_dictionary
from sonde.dictionaries.formats.hub import Repository, named
from sonde.dictionaries.initialise import initialise

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
RUN = "from sonde.cli.main import main; main()"


@pytest.fixture(scope="module")
def address():
    case = GOLDEN / "gemma-scope-res" / "gemma-scope-2b-pt-res"
    Hub.files["google/gemma-scope-2b-pt-res"] = {
        str(one.relative_to(case)): one.read_bytes() for one in case.rglob("*.npz")
    }
    with serving() as address:
        yield address


def processed(home, address, code, *words, given=None):
    """Run code in a process of its own: the client reads its settings when it is imported."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith("HF_") and "_proxy" not in k.lower()
    }
    own = {"HF_HOME": str(home), "HF_ENDPOINT": address, "HF_TOKEN": "hf_test", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env={**inherited, **own},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def sonde(home, address, *words):
    done = processed(home, address, RUN, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dictionary_comes_from_the_hub_and_goes_there_with_its_card(tmp_path, address):
    repository = "hf:google/gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_4"
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"FVU": 0.25}')
    out = sonde(
        tmp_path / "home", address, "convert", repository, tmp_path / "here", "--to", "saelens",
        "--push", "lab/mine/sae", "--metrics", metrics,
    )  # fmt: skip
    assert "Gemma Scope: SAE, jumprelu, 16 latents" in out
    assert f"Published: {address}/lab/mine/commit/{COMMIT}" in " ".join(out.split())
    there = Hub.files["lab/mine"]
    assert sorted(there) == ["sae/README.md", "sae/cfg.json", "sae/sae_weights.safetensors"]
    card = there["sae/README.md"].decode()
    for words in (
        "base_model: google/gemma-2-2b",
        "# SAE of google/gemma-2-2b",
        "| reads | blocks.5.resid_post |",
        "| FVU | 0.25 |",
        "| as written for SAELens | 64 random | 1.000 |",
        'read_dictionary("hf:lab/mine/sae")',
        'SAE.from_pretrained("lab/mine", "sae")',
    ):
        assert words in card


ASK = """
import json, sys
from pathlib import Path
from sonde.cli.convert import Wish, convert
from sonde.core.errors import SondeError
answers = []
for number, (source, wish) in enumerate(json.load(sys.stdin)):
    try:
        out = Path(sys.argv[1]) / wish.pop("out", str(number))
        convert(source, out, Wish(wish.pop("to", "saelens"), **wish))
        answers.append("")
    except SondeError as error:
        answers.append(str(error))
sys.stderr.write("ANSWERS" + json.dumps(answers))
"""


def test_it_is_fetched_once_and_what_the_hub_refuses_is_said(tmp_path, address):
    """The hub is gone the second time, and the cache has what was fetched."""
    case = GOLDEN / "saelens-gated"
    Hub.files["lab/kept"] = {f"sae/{one.name}": one.read_bytes() for one in case.iterdir()}
    Hub.files["lab/many"] = {f"layers.{one}/sae.safetensors": b"" for one in range(9)}
    Hub.files["lab/set"] = {f"layer_{one}.safetensors": b"" for one in range(3)}
    asked = {
        address: {
            "": ("hf:lab/kept/sae", {}),
            "There is no model 'lab/none'": ("hf:lab/none", {}),
            "the repository has the folders layer_5": ("hf:google/gemma-scope-2b-pt-res/x", {}),
            "holds 9 dictionaries: layers.0, layers.1,": ("hf:lab/many", {}),
            "Give one of them: hf:lab/set/layer_2.safetensors": ("hf:lab/set", {}),
            "answered with status 403": (str(case), {"push": READ_ONLY}),
        },
        "http://127.0.0.1:9": {"": ("lab/kept/sae", {}), "not in the cache": ("hf:lab/none", {})},
    }
    for number, (where, questions) in enumerate(asked.items()):
        given, out = json.dumps(list(questions.values())), tmp_path / str(number)
        done = processed(tmp_path / "home", where, ASK, out, given=given)
        answers = json.loads(done.stderr.split("ANSWERS")[1])
        assert len(answers) == len(questions)
        for said, answer in zip(questions, answers, strict=True):
            assert said in answer if said else answer == ""


def asked_of(tmp_path, address, *questions):
    """Convert one after the other in one process; return what went wrong of each, else nothing."""
    given = json.dumps(questions)
    done = processed(tmp_path / "home", address, ASK, tmp_path / "out", given=given)
    return json.loads(done.stderr.split("ANSWERS")[1])


def own_file(path, model):
    made = Architecture(sources=("blocks.3.resid_post",), d_in=(6,), d_sae=16, sparsity=TopK(k=4))
    figure = Figure(value=0.75, low=0.5, high=0.875, n=12, level=0.95)
    dictionary = initialise(Dictionary(made), 0)
    return save_dictionary(
        dictionary, path, Origin(model=model), trained={"steps": 7, "texts": "/home/me/fables"},
        metrics={"variance_explained": figure},
    )  # fmt: skip


def test_a_push_that_failed_is_made_up_for_by_the_same_command(tmp_path, address):
    """The hub fails, then refuses a card; a model of a path goes there without one."""
    Hub.failing.add("lab/later")
    topk = str(GOLDEN / "dictionary-learning-topk")
    again = (topk, {"to": "dictionary-learning", "out": "it", "push": "lab/later"})
    mine = {"to": "sonde", "out": "mine.safetensors", "push": "lab/own"}
    gone, local = (
        str(own_file(tmp_path / f"{number}.safetensors", model))
        for number, model in enumerate(("lab/gone", "/home/me/models/gemma"))
    )
    found = asked_of(
        tmp_path, address, again, again, (topk, {**again[1], "to": "sparsify"}),
        (gone, {**mine, "out": "gone.safetensors"}), (local, mine),
    )  # fmt: skip
    assert "status 500" in found[0] and "Run the same command again" in found[0]
    assert (found[1], found[4]) == ("", "")
    assert "holds other than what would be written" in found[2]
    assert 'Invalid metadata in README.md. - "base_model" with value "lab/gone"' in found[3]
    assert sorted(Hub.files["lab/later"]) == ["README.md", "ae.pt", "config.json"]
    published = Hub.files["lab/own"]
    assert published["mine.safetensors"] == Path(local).read_bytes()
    card = published["README.md"].decode()
    assert "| variance_explained | 0.75 | 0.5 to 0.875 | 0.95 | 12 |" in card
    assert "# SAE of gemma\n" in card and "/home" not in card and "base_model" not in card


def test_what_lies_below_a_folder_with_weights_is_left_there(tmp_path, address):
    """dictionary_learning keeps earlier states so; sparsify an optimiser beside the folders."""
    own = {one.name: one.read_bytes() for one in (GOLDEN / "dictionary-learning-topk").iterdir()}
    Hub.files["lab/saes"] = {
        f"trainer_{number}/{name}": data
        for number in range(2)
        for name, data in {**own, "checkpoints/ae_9.pt": b"", "checkpoints/x.json": b"{}"}.items()
    }
    Hub.files["lab/run"] = {f"layers.{one}/sae.safetensors": b"" for one in range(2)}
    Hub.files["lab/run"] |= {"optimizer_0.pt": b"", "state.pt": b"", "config.json": b"{}"}
    asked = ("hf:lab/saes/trainer_0", "lab/saes/trainer_1/ae.pt@main", "lab/saes", "lab/run")
    found = asked_of(tmp_path, address, *((one, {}) for one in asked))
    assert found[:2] == ["", ""]
    assert "holds 2 dictionaries: trainer_0, trainer_1." in found[2]
    assert "hf:lab/saes/trainer_1." in found[2]
    assert "holds 2 dictionaries: layers.0, layers.1." in found[3]
    assert not list((tmp_path / "home").rglob("checkpoints"))


def test_names_of_repositories():
    assert named("hf:lab/sae") == Repository("lab/sae")
    assert named("lab/sae/layers.3/x@main") == Repository("lab/sae", "layers.3/x", "main")
    assert named("./out/../secret") is None
    assert named("nothing") is None
    with pytest.raises(SondeError, match="is not a repository of the hub"):
        named("hf:nothing")
