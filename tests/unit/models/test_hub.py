"""The hub: the real client against a small server here, and against a cache without network."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.identity import _weights, model_identity
from sonde.models import hub
from sonde.models.hub import Listing, weight_files
from sonde.models.loading import random_tokenizer
from sonde.models.memory import config_of
from sonde.models.source import Random, cached_tokenizer, resolve
from sonde.models.spec import ModelSpec
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    tiny_hf("qwen2").save_pretrained(path)
    byte_tokenizer(384).save_pretrained(path)
    (path / "consolidated.safetensors").write_bytes(b"another format of the same")
    return path


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for one open and one gated repository."""

    folder = None

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/"):
            return self.about(path.removeprefix("/api/models/"))
        parts = path.strip("/").split("/", 4)
        if len(parts) < 5:
            return self.refuse(404, "NotHere")
        _, name, _, _, file = parts
        if name == "gated":
            return self.refuse(403, "GatedRepo")
        data = (self.folder / file).read_bytes()
        size = len(data)
        return self.answer(data, {"X-Repo-Commit": COMMIT, "ETag": f'"{file}-{size}"'})

    def about(self, what):
        if "/tree/" in what:
            tree = [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": path.name}
                for path in self.folder.iterdir()
            ]
            return self.answer(json.dumps(tree).encode(), {"Content-Type": "application/json"})
        repository, _, revision = what.partition("/revision/")
        if repository not in ("lab/tiny", "lab/gated"):
            return self.refuse(404, "RepoNotFound")
        if revision not in ("", "main", COMMIT):
            return self.refuse(404, "RevisionNotFound")
        files = [
            {"rfilename": path.name, "size": path.stat().st_size} for path in self.folder.iterdir()
        ]
        about = {"id": repository, "sha": COMMIT, "siblings": files, "private": False}
        return self.answer(json.dumps(about).encode(), {"Content-Type": "application/json"})

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, data, headers):
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(model_folder):
    Hub.folder = model_folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


ASK = """
import json, sys
from sonde.core.errors import SondeError
from sonde.models.loading import load
answers = []
for name, settings in json.load(sys.stdin):
    try:
        info = load(name, device="cpu", check=False, **settings).info
        answers.append(info.model_dump())
    except SondeError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


def ask(home, requests, **environment):
    """Load in a process of its own: the client reads its settings when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(requests),
        env={**os.environ, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_the_hub_from_first_contact_to_offline(address, tmp_path):
    requests = [
        ["lab/tiny", {}],
        ["lab/tiny", {"revision": "main"}],
        ["lab/tiny", {"revision": "v9"}],
        ["lab/gated", {}],
        ["lab/missing", {}],
    ]
    online = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
    loaded, same, no_revision, gated, missing = ask(tmp_path, requests, **online)
    assert loaded["revision"] == COMMIT
    assert loaded["family"] == "qwen2"
    assert same["fingerprint"] == loaded["fingerprint"]
    assert "no revision 'v9'" in no_revision
    assert "gated" in gated
    assert "hf auth login" in gated
    assert "There is no model 'lab/missing' on the hub" in missing
    assert not list(tmp_path.rglob("consolidated.safetensors"))

    offline = ask(tmp_path, [["lab/tiny", {}], ["lab/other", {}]], HF_HUB_OFFLINE="1")
    assert offline[0] == loaded
    assert "'lab/other' is not in the cache, and the hub cannot be reached" in offline[1]


def put_in_cache(cache, repository, tokenizer):
    """Lay a tokenizer into a cache as the hub's client does."""
    where = cache / f"models--{repository.replace('/', '--')}"
    tokenizer.save_pretrained(where / "snapshots" / COMMIT)
    (where / "refs").mkdir()
    (where / "refs" / "main").write_text(COMMIT)


def test_a_random_model_reads_the_tokens_of_the_real_one_if_they_are_at_hand(tmp_path, monkeypatch):
    """Another tokenizer would make another control."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    spec = ModelSpec(name="random:pythia-70m")
    source, config = resolve(spec), config_of(spec)
    assert isinstance(source, Random)
    assert cached_tokenizer(source) is None
    assert len(random_tokenizer(source, config)) == 259  # bytes and three marks
    plain = model_identity(spec)
    _weights.cache_clear()

    real = byte_tokenizer(400)
    real.add_tokens(["good news"])
    put_in_cache(tmp_path, "EleutherAI/pythia-70m", real)
    assert random_tokenizer(source, config)("good news")["input_ids"] == [259]
    named = model_identity(spec)
    assert named["weights"] == plain["weights"] | {"tokenizer": COMMIT}
    _weights.cache_clear()


def test_a_tokenizer_is_fetched_alone(address, tmp_path):
    """As the embeddings that a random model keeps need it."""
    code = (
        "from sonde.models.hub import look_up, fetch_tokenizer, cached_tokenizer\n"
        "fetch_tokenizer(look_up('lab/tiny', None))\n"
        "print(*sorted(path.name for path in cached_tokenizer('lab/tiny').iterdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": address,
             "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= set(done.stdout.split())
    assert "safetensors" not in done.stdout


def listing(*names, size=10):
    return Listing("lab/tiny", None, COMMIT, dict.fromkeys(names, size))


def test_safetensors_are_preferred_and_other_formats_left_alone():
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    others = ["pytorch_model.bin", "consolidated.safetensors", "original/model.safetensors"]
    assert weight_files(listing(*files, *others)) == files
    assert weight_files(listing(*others)) == ["pytorch_model.bin"]


def test_a_repository_of_gguf_files_is_told_as_such():
    with pytest.raises(SondeError, match=r"It holds GGUF files, such as q4.gguf"):
        weight_files(listing("q4.gguf", "README.md"))
    with pytest.raises(SondeError, match=r"holds no config.json"):
        hub.fetch_config(listing("q4.gguf"))


def test_a_disk_too_small_is_told_before_fetching(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SondeError, match=r"needs 9000000.0 GB of disk.*HF_HOME"):
        hub.fetch(listing("config.json", "model.safetensors", size=45 * 10**14))
