"""Training steps of dictionaries on a GPU, at the sizes of gemma-2-2b with random weights.

A step has one dense product, that of the rows with the encoder; what it comes to beside the maker's
dense 16-bit rate is the share of the peak. All else in a step is there to be made small.
"""

import time
from contextlib import contextmanager
from statistics import median

import torch

from bench.table import Line

MODEL, HOOK = "random:gemma-2-2b", "blocks.12.resid_post"
SIZES, K = (16_384, 65_536), 64
BATCH, CONTEXT, BATCHES = 4_096, 256, 4
STEPS = 20  # of a round
PRECISIONS = ("bfloat16", "float32")


def dictionary_gpu(rounds: int) -> list[Line]:
    """TopK SAEs of 16,384 and 65,536 latents, k 64, batches of 4,096 rows of block 12."""
    if not torch.cuda.is_available():
        print("  left out: there is no CUDA device")
        return []
    import sonde

    model = sonde.load(MODEL, device="cuda", check=False)
    lines = [Line(f"{MODEL}, passes to block 12", _rate(_passes(model, rounds)))]
    source = _rows(model)
    for d_sae in SIZES:
        for precision in PRECISIONS:
            lines += _race(model, source, d_sae, precision, rounds)
            torch.cuda.empty_cache()
    return lines


def _race(model, source, d_sae: int, precision: str, rounds: int) -> list[Line]:
    """Let steps with Triton's kernels, with torch's products and with passes take turns."""
    trainee, batches = _trainee(source, d_sae, precision)
    on_gpu = model.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    contestants = {
        "steps": lambda: _steps(trainee, batches),
        "torch's products": lambda: _with_torch(trainee, batches),
        "passes and steps": lambda: _steps(trainee, batches, model),
        "encoder product": lambda: _products(trainee, batches, precision),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):  # the first turn of each is to warm up
        for name, run in contestants.items():
            taken = _timed(run, on_gpu) / STEPS
            if number:
                seconds[name].append(taken)
    what = f"{d_sae:,} latents, {precision}"
    steps = seconds["steps"]
    times = median(a / b for a, b in zip(seconds["torch's products"], steps, strict=True))
    limit = median(a / b for a, b in zip(seconds["encoder product"], steps, strict=True))
    lines = [
        Line(f"{what}, steps", f"{_rate(median(steps))}, {1e3 * median(steps):.2f} ms a step"),
        Line(f"{what}, share of the encoder's product", f"{limit:.2f}"),
        Line(f"{what}, Triton against torch's products", f"{times:.2f}×"),
        Line(f"{what}, passes and steps", _rate(median(seconds["passes and steps"]))),
    ]
    peak = _peak() if on_gpu else None
    if peak is not None:
        share = 2 * BATCH * source.widths[_hook()] * d_sae / median(steps) / peak
        lines.append(Line(f"{what}, share of the matrix peak", f"{share:.2f}"))
    if on_gpu:
        most = torch.cuda.max_memory_allocated() / 1e9
        lines.append(Line(f"{what}, memory at the peak, the model's too", f"{most:.1f} GB"))
    return lines


def _rows(model):
    """Return batches of rows of random tokens, which stay on the device."""
    from sonde.activations.row_batches import TensorRows

    parts = [_pass(model) for _ in range(BATCHES)]
    return TensorRows({_hook(): torch.cat(parts)}, BATCH)


def _pass(model) -> torch.Tensor:
    """Return a batch of rows; the first tokens, which may be sinks, are left out."""
    from sonde.models.forward import forward, pad_batch

    chunks = BATCH // CONTEXT
    tokens = torch.randint(10, min(model.info.d_vocab, 10_000), (chunks, CONTEXT + 8))
    batch = pad_batch(tokens.tolist(), device=model.device)
    found = forward(model, batch, capture=(_hook(),)).activations[_hook()]
    return found[:, 8:].flatten(0, 1)


def _trainee(source, d_sae: int, precision: str):
    from sonde.dictionaries import Architecture, TopK
    from sonde.dictionaries.training import Training
    from sonde.dictionaries.training.start import start_of
    from sonde.dictionaries.training.trainee import Trainee

    architecture = Architecture(
        sources=(HOOK,), d_in=(source.widths[_hook()],), d_sae=d_sae, sparsity=TopK(k=K)
    )
    training = Training(bias="mean", aux=None, precision=precision, decay="none")
    start = start_of(source, training.bias)
    device = next(iter(source.tensors.values())).device
    trainee = Trainee.fresh(architecture, training, start, 10**9, device)
    return trainee, [trainee.rows_of(start.scaled(one.tensors)) for one in source.batches()]


def _steps(trainee, batches, model=None) -> None:
    """Take some steps, with the passes that their rows would need where a model is given."""
    for number in range(STEPS):
        if model is not None:
            _pass(model)
        trainee.step(*batches[number % len(batches)], number)


def _with_torch(trainee, batches) -> None:
    with _torch_alone():
        _steps(trainee, batches)


def _products(trainee, batches, precision: str) -> None:
    """Multiply batches with the encoder, which is all that no dictionary can do without."""
    encoder = trainee.dictionary.parts[0].encoder.detach()
    dtype = getattr(torch, precision)
    for number in range(STEPS):
        batches[number % len(batches)][0][0].to(dtype) @ encoder.to(dtype).T


@contextmanager
def _torch_alone():
    """Compute sparse products by torch's operations for a while."""
    from sonde.dictionaries import products

    kept = products.kernels_for
    products.kernels_for = lambda one, other: None
    try:
        yield
    finally:
        products.kernels_for = kept


def _passes(model, rounds: int) -> float:
    on_gpu = model.device.type == "cuda"
    _pass(model)
    return median(_timed(lambda: _pass(model), on_gpu) for _ in range(3 * rounds))


def _timed(run, on_gpu: bool) -> float:
    if on_gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _peak() -> float | None:
    """Return the maker's dense 16-bit rate of this GPU; None where it is not in the table."""
    from sonde.experiments.hardware import ATTAINED, DEVICES, visible_gpus

    device = DEVICES.get(visible_gpus()[0])
    return None if device is None else device.flops / ATTAINED


def _rate(seconds: float) -> str:
    return f"{BATCH / seconds:,.0f} tokens/s"


def _hook():
    from sonde.core.hooks import parse_hook_point

    return parse_hook_point(HOOK)
