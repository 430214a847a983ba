"""A small server here that keeps files of repositories and takes commits as the hub does."""

import base64
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

COMMIT = "0123456789abcdef0123456789abcdef01234567"
READ_ONLY = "lab/closed"


class Hub(BaseHTTPRequestHandler):
    """Keeps files of repositories in memory, and takes commits as the hub does."""

    files: ClassVar[dict[str, dict[str, bytes]]] = {}
    failing: ClassVar[set[str]] = set()  # repositories whose next commit fails

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
        if path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        if "/preupload/" in path:
            asked = json.loads(body)["files"]
            modes = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in asked
            ]
            return self.json({"files": modes})
        repository = path.removeprefix("/api/models/").split("/commit/")[0]
        if repository in self.failing:
            self.failing.discard(repository)
            return self.answer(b"{}", {}, 500)
        for line in map(json.loads, body.decode().strip().splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.files[repository][line["value"]["path"]] = content
        url = f"http://{self.headers['Host']}/{repository}/commit/{COMMIT}"
        return self.json({"commitOid": COMMIT, "commitUrl": url, "success": True})

    def validate(self, card):
        """Refuse a card as the hub does that names a model which cannot be there."""
        model = next((one[12:] for one in card.splitlines() if one.startswith("base_model: ")), "")
        wrong = model.startswith("/") or ":" in model or model == "lab/gone"
        error = {"message": f'"base_model" with value "{model}" is not valid'}
        self.json({"errors": [error] * wrong, "warnings": []}, 400 if wrong else 200)

    def json(self, value, status=200):
        self.answer(json.dumps(value).encode(), {"Content-Type": "application/json"}, status)

    def answer(self, data, headers, status=200):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def serving() -> Generator[str]:
    """Serve on a free port; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
