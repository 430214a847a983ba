"""Make one environment for each library that sonde is tested or timed against.

They need versions of transformers that exclude one another, so none may share sonde's own.
"""

import subprocess
import sys
import venv
from pathlib import Path

PEERS = {
    "transformer-lens": ["transformer-lens>=4,<5"],
    "nnsight": ["nnsight>=0.8,<0.9"],
    "steering-vectors": ["steering-vectors>=0.12,<0.13"],
    "repeng": ["repeng>=0.4,<0.5"],
    "llama": ["llama-cpp-python[server]>=0.3.16,<0.4", "numpy"],
    "sae-lens": ["sae-lens>=6.54,<7"],
    "sparsify": ["eai-sparsify>=1.3,<2"],
    "dictionary-learning": ["dictionary-learning>=0.1,<0.2"],
}
NEED_TORCH = set(PEERS) - {"llama"}
# nnsight names torchvision, whose build has to be torch's own, and works without it.
UNWANTED = {"dictionary-learning": "torchvision"}


def make(folder: Path, torch: str, requirements: list[str]) -> None:
    """Make one environment and install into it, torch first so that its build is the given one."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    if torch:
        helper = Path(__file__).with_name("install_torch.py")
        subprocess.run([str(folder / "bin" / "python"), str(helper), torch], check=True)
        requirements = [torch, *requirements]  # so that none of them brings another build
    subprocess.run([*pip, "install", *requirements], check=True)


def main() -> None:
    """Make every environment under the folder given as the first argument."""
    root, torch = Path(sys.argv[1]), sys.argv[2]
    for name, requirements in PEERS.items():
        done = root / name / ".ready"
        wanted = "\n".join(requirements)
        if done.exists() and done.read_text() == wanted:
            continue
        print(f"making the environment for {name}", flush=True)
        make(root / name, torch if name in NEED_TORCH else "", requirements)
        if name in UNWANTED:
            python = str(root / name / "bin" / "python")
            subprocess.run([python, "-m", "pip", "uninstall", "-qy", UNWANTED[name]], check=True)
        done.write_text(wanted)


if __name__ == "__main__":
    main()
