"""The memory of an extraction to disk does not grow with the data."""

import multiprocessing
import resource
import sys
from pathlib import Path

from sonde.activations import ActivationStore, extract, writer
from sonde.data.examples import Example
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer

FORK = multiprocessing.get_context("fork")
UNIT = 1024 if sys.platform.startswith("linux") else 1  # ru_maxrss is in kB on Linux


def peak_of(rows: int, folder: Path) -> int:
    """Return the peak resident memory, in bytes, of a process that extracts so many short rows."""
    receiver, sender = FORK.Pipe(duplex=False)

    def run() -> None:
        writer.SHARD_BYTES = 2 * 2**20
        hf = tiny_hf("llama", vocab_size=320, num_hidden_layers=20, hidden_size=128)
        model = wrap(hf, byte_tokenizer(320), name="t", revision="0", fingerprint="t")
        data = [Example(f"e{number}", "ab" + "cdefghij"[number % 8]) for number in range(rows)]
        extract(model, data, template="none", out=folder, progress=False)
        sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT)

    process = FORK.Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 0
    return receiver.recv()


def test_eight_times_the_rows_take_hardly_more_memory(tmp_path):
    # 14,000 rows more are 143 MB at all hook points, and would be growth if they were kept; texts,
    # tokens and the row table are about 1 kB for each row. Both runs fill batches and shards.
    small = peak_of(2_000, tmp_path / "small")
    large = peak_of(16_000, tmp_path / "large")
    store = ActivationStore.open(tmp_path / "large")
    kept = 14_000 * 20 * 128 * 4
    assert len(store) == 16_000 and len(store.manifest.shards) > 5
    assert large - small < 0.5 * kept, f"{(large - small) / 2**20:.0f} MB more"
