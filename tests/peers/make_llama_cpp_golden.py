"""Make ``llama_cpp_golden.json``: llama.cpp's token ids, and its largest logits in float32.

    python -m tests.peers.make_llama_cpp_golden <python with llama-cpp-python>

The logits come from the file unpacked to float32, where llama.cpp rounds nothing to 8 bits.
"""

import json
import sys
import tempfile
from pathlib import Path

from tests.parity.test_llama_cpp import GOLDEN_FILE, ask, logits_of
from tests.peers.gguf_files import write_unpacked
from tests.peers.texts import PRE_RULES, PROMPTS, TEXTS

from sonde.core.files import write_text
from sonde.models.embedded import checked_gguf

TOP = 40


def main() -> None:
    python = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch, checked_gguf(Path(scratch)) as packed:
        unpacked = Path(scratch) / "float32.gguf"
        write_unpacked(packed, unpacked)
        ids = ask(python, packed, texts=TEXTS, pre=PRE_RULES)["ids"]
        runs = []
        for run in ask(python, unpacked, prompts=PROMPTS)["runs"]:
            logits = logits_of(run)
            top = logits.argsort()[::-1][:TOP]
            values = [round(float(value), 4) for value in logits[top]]
            runs.append({"ids": run["ids"], "top": top.tolist(), "logits": values})
    write_text(GOLDEN_FILE, json.dumps({"ids": ids, "runs": runs}, separators=(",", ":")) + "\n")


main()
