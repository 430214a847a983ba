"""Make ``dictionary_golden/``: dictionaries that libraries wrote, and what they make of rows.

    python -m tests.peers.make_dictionary_golden <folder of the peers' environments>

Each folder holds a library's own files and ``golden.safetensors``: rows, latents, what is made.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "dictionary_golden"
ENVIRONMENTS = {
    "golden_saelens.py": "sae-lens",
    "golden_sparsify.py": "sparsify",
    "golden_dictionary_learning.py": "dictionary-learning",
}


def main() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    for script, environment in ENVIRONMENTS.items():
        python = Path(sys.argv[1]).absolute() / environment / "bin" / "python"
        subprocess.run([str(python), script, str(GOLDEN)], check=True, cwd=HERE)


if __name__ == "__main__":
    main()
