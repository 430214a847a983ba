"""Take a picture of a report for the documentation.

    python docs/screenshot.py runs/demo/report.html docs/images/report.png
    python docs/screenshot.py runs/demo/report.html dark.png --dark --view "layer=12&text=3"

A headless Chromium does it. The report needs nothing from outside, so neither does the picture.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


def screenshot(report: Path, picture: Path, flags: list[str], view: str = "") -> None:
    """Draw a page into a PNG file; ``flags`` are the browser's own."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"No browser was found. Install one of {', '.join(BROWSERS)}.")
    picture.parent.mkdir(parents=True, exist_ok=True)
    address = report.resolve().as_uri() + (f"#{view}" if view else "")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            browser, *QUIET, f"--user-data-dir={profile}",
            f"--screenshot={picture.resolve()}", *flags, address,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if not picture.is_file():
        raise SystemExit(f"No picture was made:\n{done.stderr.decode('utf-8', 'replace')[-2000:]}")


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description="Take a picture of a report.")
    reader.add_argument("report", type=Path)
    reader.add_argument("picture", type=Path)
    reader.add_argument("--width", type=int, default=1280)
    reader.add_argument("--height", type=int, default=1000)
    reader.add_argument("--sharp", action="store_true", help="two dots for each pixel")
    reader.add_argument("--dark", action="store_true")
    reader.add_argument("--view", default="", help="layer=12&text=3, as in the page's address")
    given = reader.parse_args()
    flags = [f"--window-size={given.width},{given.height}"]
    flags += ["--force-device-scale-factor=2"] if given.sharp else []
    # 0 is dark and 1 light in Blink's settings.
    flags += [f"--blink-settings=preferredColorScheme={0 if given.dark else 1}"]
    screenshot(given.report, given.picture, flags, given.view)
    sys.stdout.write(f"{given.picture}\n")


if __name__ == "__main__":
    main()
