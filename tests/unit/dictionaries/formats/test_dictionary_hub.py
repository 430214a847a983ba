"""Dictionaries on the hub: the real client against a small server here, and without network."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from sonde.core.errors import SondeError
from sonde.dictionaries.formats.hub import Repository, named

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
READ_ONLY = "lab/closed"
RUN = "from sonde.cli.main import main; main()"


class Hub(BaseHTTPRequestHandler):
    """Keeps files of repositories in memory, and takes commits as the hub does."""

    files: ClassVar[dict[str, dict[str, bytes]]] = {}

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/"):
            return self.about(path.removeprefix("/api/models/").split("/revision/")[0])
        owner, name, _, _, file = path.strip("/").split("/", 4)
        data = self.files.get(f"{owner}/{name}", {}).get(file)
        if data is None:
            return self.answer(b"", {"X-Error-Code": "EntryNotFound"}, 404)
        return self.answer(data, {"X-Repo-Commit": COMMIT, "ETag": f'"{file}-{len(data)}"'})

    def about(self, repository):
        if repository not in self.files:
            return self.answer(b"", {"X-Error-Code": "RepoNotFound"}, 404)
        siblings = [
            {"rfilename": name, "size": len(data)} for name, data in self.files[repository].items()
        ]
        return self.json({"id": repository, "sha": COMMIT, "siblings": siblings, "private": False})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.split("?")[0]
        if path == "/api/repos/create":
            given = json.loads(body)
            repository = f"{given.get('organization') or 'lab'}/{given['name']}"
            if repository == READ_ONLY:
                return self.answer(b"{}", {}, 403)
            self.files.setdefault(repository, {})
            return self.json({"url": f"http://{self.headers['Host']}/{repository}"})
        if "/preupload/" in path:
            asked = json.loads(body)["files"]
            modes = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in asked
            ]
            return self.json({"files": modes})
        repository = path.removeprefix("/api/models/").split("/commit/")[0]
        for line in map(json.loads, body.decode().strip().splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.files[repository][line["value"]["path"]] = content
        url = f"http://{self.headers['Host']}/{repository}/commit/{COMMIT}"
        return self.json({"commitOid": COMMIT, "commitUrl": url, "success": True})

    def json(self, value):
        self.answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, data, headers, status=200):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    case = GOLDEN / "gemma-scope-res" / "gemma-scope-2b-pt-res"
    Hub.files["google/gemma-scope-2b-pt-res"] = {
        str(one.relative_to(case)): one.read_bytes() for one in case.rglob("*.npz")
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


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
        convert(source, Path(sys.argv[1]) / str(number), Wish("saelens", **wish))
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


def test_names_of_repositories():
    assert named("hf:lab/sae") == Repository("lab/sae")
    assert named("lab/sae/layers.3/x@main") == Repository("lab/sae", "layers.3/x", "main")
    assert named("./out/../secret") is None
    assert named("nothing") is None
    with pytest.raises(SondeError, match="is not a repository of the hub"):
        named("hf:nothing")
