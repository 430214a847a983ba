"""Install torch, but never several GB of CUDA libraries on a machine that has no NVIDIA GPU.

On Linux the registry's torch is a CUDA build. Where pip finds a CPU build of the same version
(through PIP_FIND_LINKS or an index of its own) it prefers that one. This script asks pip what it
would install, and stops with advice instead of starting the big download by surprise.
"""

import json
import os
import shutil
import subprocess
import sys

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def planned(requirement: str) -> list[str]:
    """Return the names and versions that pip would install, without downloading the wheels."""
    command = [*PIP, "install", "--dry-run", "--report", "-", requirement]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    items = json.loads(answer)["install"]
    return [f"{item['metadata']['name']} {item['metadata']['version']}" for item in items]


def main() -> None:
    """Install the requirement given as the only argument."""
    requirement = sys.argv[1]
    cuda = [name for name in planned(requirement) if name.startswith(("nvidia-", "cuda-"))]
    if cuda and shutil.which("nvidia-smi") is None and not os.environ.get("SONDE_CUDA"):
        sys.exit(
            f"pip would install {requirement} with {len(cuda)} CUDA packages (several GB), and "
            "this machine has no NVIDIA GPU.\n"
            "Point pip at a CPU build of that version (PIP_FIND_LINKS or PIP_INDEX_URL), install "
            "it into the environment yourself, or set SONDE_CUDA=1 to go on regardless."
        )
    subprocess.run([*PIP, "install", requirement], check=True)


if __name__ == "__main__":
    main()
