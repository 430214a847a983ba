"""Run llama.cpp with a control vector. Runs in an environment with llama-cpp-python.

    python steer_llama_cpp.py model.gguf < request.json > answer.json

The request holds the token ``ids`` of a prompt, ``width``, ``blocks`` and ``directions``: base64
float32 for each N of a file's ``direction.N``, laid into llama.cpp's buffer as its loader does,
direction.1 first. The answer holds all logits after the last token.
"""

import base64
import ctypes
import json
import os
import sys

import numpy as np

FLOAT32 = 0  # ggml's number for the type

out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # llama.cpp writes messages to stdout
import llama_cpp  # noqa: E402


def main() -> None:
    path, request = sys.argv[1], json.load(sys.stdin)
    model = llama_cpp.Llama(
        path,
        n_ctx=256,
        logits_all=True,
        n_threads=1,
        type_k=FLOAT32,
        type_v=FLOAT32,
        verbose=False,
    )
    width, blocks = request["width"], request["blocks"]
    buffer = np.zeros((blocks - 1, width), dtype=np.float32)
    for number, packed in request["directions"].items():
        buffer[int(number) - 1] = np.frombuffer(base64.b64decode(packed), dtype=np.float32)
    data = buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    failed = llama_cpp.llama_set_adapter_cvec(model.ctx, data, buffer.size, width, 1, blocks)
    assert failed == 0, failed
    model.eval(request["ids"])
    last = np.array(model.scores[len(request["ids"]) - 1], dtype=np.float32)
    json.dump({"logits": base64.b64encode(last.tobytes()).decode()}, out)


main()
