"""Ask llama.cpp what it makes of a GGUF file. Runs in an environment with llama-cpp-python.

    python ask_llama_cpp.py model.gguf < request.json > answer.json

The request holds ``texts`` to tokenise under each rule of ``pre`` (put in place of the file's own
``tokenizer.ggml.pre``), and ``prompts`` to run. The answer holds ``ids[rule][text]`` and, for each
prompt, its ids and all logits after its last token (float32, base64). Keys and values are cached
in float32 (the default, float16, rounds them).
"""

import base64
import json
import os
import sys

import numpy as np

FLOAT32 = 0  # ggml's number for the type

out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # llama.cpp writes messages to stdout
from llama_cpp import Llama  # noqa: E402


def tokenise(model: Llama, text: str) -> list[int]:
    return model.tokenize(text.encode(), add_bos=False, special=True)


def main() -> None:
    path, request = sys.argv[1], json.load(sys.stdin)
    ids = {}
    for rule in request["pre"]:
        overrides = {"tokenizer.ggml.pre": rule}
        model = Llama(path, vocab_only=True, kv_overrides=overrides, verbose=False)
        ids[rule] = [tokenise(model, text) for text in request["texts"]]
    runs = []
    if request["prompts"]:
        model = Llama(
            path,
            n_ctx=256,
            logits_all=True,
            n_threads=1,
            type_k=FLOAT32,
            type_v=FLOAT32,
            verbose=False,
        )
    for prompt in request["prompts"]:
        tokens = tokenise(model, prompt)
        model.reset()
        model.eval(tokens)
        last = np.array(model.scores[len(tokens) - 1], dtype=np.float32)
        runs.append({"ids": tokens, "logits": base64.b64encode(last.tobytes()).decode()})
    json.dump({"ids": ids, "runs": runs}, out)


main()
