"""A headless browser for tests: the page's DOM after its scripts ran, and what went wrong."""

import base64
import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NARROWEST = 500
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip

# Runs before the page's own script, so that nothing goes wrong unseen.
WATCH = """
const seen = [];
addEventListener("error", (event) => seen.push("error: " + event.message));
addEventListener("unhandledrejection", (event) => seen.push("rejected: " + event.reason));
document.addEventListener("securitypolicyviolation",
  (event) => seen.push("policy: " + event.violatedDirective + " " + event.blockedURI));
"""
TELL = """
addEventListener("load", () => {
  const told = top.document.documentElement.dataset;
  const tell = (name, value) => { told[name] = JSON.stringify(value); };
  try { (%s)(tell); } catch (error) { seen.push("driver: " + error); }
  setTimeout(() => tell("seen", seen), 0);
});
"""


def browser() -> str:
    """Return the browser's path; skip where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser was found (looked for {', '.join(NAMES)})")
    return found


@dataclass(frozen=True)
class Seen:
    """The page after its scripts ran."""

    html: str

    def told(self, name: str) -> str:
        """Return what the driver told under a name, as JSON."""
        found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', self.html)
        assert found, f"the driver told nothing of {name}"
        return unescape(found.group(1))


def drive(
    page: str, driver: str = "(tell) => {}", *, width: int = 1280, fragment: str = ""
) -> Seen:
    """Open a page, run a driver after loading, and return the DOM.

    The page's policy stays in force: only the two added scripts are let through, by their hashes.
    """
    scripts = [WATCH, TELL % driver]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    page = page.replace("script-src ", f"script-src {hashes} ", 1)
    first, last = (f"<script>{script}</script>" for script in scripts)
    page = page.replace("</title>", f"</title>{first}", 1).replace("</body>", f"{last}</body>", 1)
    if width < NARROWEST:
        # A headless window is no narrower than that, but a frame may be.
        frame = f'<iframe width="{width}" height="800" style="border:0" srcdoc="{escape(page)}">'
        page = f"<!doctype html><title>frame</title><body>{frame}</iframe></body></html>"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = [
            browser(), *QUIET, f"--user-data-dir={folder}/profile", f"--window-size={width},900",
            "--virtual-time-budget=2000", "--dump-dom", file.as_uri() + fragment,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    html = done.stdout.decode("utf-8", "replace")
    assert "</html>" in html, done.stderr.decode("utf-8", "replace")[-2000:]
    return Seen(html)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
