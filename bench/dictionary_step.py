"""One training step of a dictionary against SAELens, sparsify and dictionary_learning.

All are given the same batches in the same order, scaled alike, on as many threads in float32, and
the same learning rate, which falls linearly to 0, with Adam. Autoencoders begin with the same
weights. sonde, sparsify and dictionary_learning keep decoder rows at length 1. SAELens leaves their
norms free and chooses latents by pre-activations times norms: against it, so does sonde. All clip
gradients at 1 but sparsify, which does not clip. What else a trainer does in a step is its own.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.contest import Contestant, Outcome, contest, ratio
from bench.rows import Rows, real_rows
from bench.table import Line

D_SAE, K, BATCH, STEPS = 9_216, 32, 2_048, 10
GROUPS = (1_152, 2_304, 4_608, 1_152)
LR = 1e-3
SOURCE, TARGET = "resid_mid", "mlp_out"
TRAIN, HELD_OUT = 20 * BATCH, 4_096
WANTED = {"SAELens": 4.0, "sparsify": 1.4}
SHARE = 0.5  # of the encoder's product
NO_WORSE = 1.005  # times the peer's FVU: what the order of sums alone may change

LIMIT = Contestant("encoder product", "run_encoder_product.py")
SONDE = Contestant("sonde", "run_sonde_dictionary.py")
FREE = Contestant("sonde, norms free", "run_sonde_dictionary.py", given={"free": True})
FLAT = Contestant("sonde, not nested", "run_sonde_dictionary.py", given={"groups": []})
SAE_LENS = Contestant("SAELens", "run_sae_lens.py", "sae-lens")
SPARSIFY = Contestant("sparsify", "run_sparsify.py", "sparsify")
DICTIONARY_LEARNING = Contestant(
    "dictionary_learning", "run_dictionary_learning.py", "dictionary-learning"
)
PEERS = [SAE_LENS, SPARSIFY, DICTIONARY_LEARNING]


def dictionary_step(rounds: int) -> list[Line]:
    """TopK without and with AuxK, a Matryoshka transcoder with skip, a Matryoshka BatchTopK SAE."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = real_rows((SOURCE, TARGET), TRAIN, HELD_OUT, folder)
        tasks = _tasks(rows, folder, rounds)
        return [
            *_race("TopK", [LIMIT, SONDE, FREE, *PEERS], tasks["topk"], rounds),
            *_race("TopK with AuxK", [SONDE, FREE, *PEERS], tasks["aux"], rounds, fvu=False),
            *_race(
                "Matryoshka skip transcoder",
                [LIMIT, SONDE, FLAT, SPARSIFY, SAE_LENS],
                tasks["transcoder"],
                rounds,
                fvu=False,
            ),
            *_race("Matryoshka BatchTopK SAE", [FREE, SAE_LENS], tasks["matryoshka"], rounds),
        ]


def dictionary_compile(rounds: int) -> list[Line]:
    """Let the loss of dense latents be compiled, and see what a step gains."""
    lines = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        task = _tasks(real_rows((SOURCE, TARGET), TRAIN, HELD_OUT, folder), folder, rounds)["topk"]
        for kind in ("relu", "jumprelu", "gated"):
            plain, compiled = (
                Contestant(said, SONDE.script, given={"dense": kind, "compile": said == "compiled"})
                for said in ("as it is", "compiled")
            )
            found = contest([plain, compiled], task, rounds=rounds)
            lines += [_line(f"{kind}, {D_SAE:,} latents", one, task) for one in found.values()]
            times = ratio(found[plain.name], found[compiled.name])
            lines.append(Line(f"{kind}, {D_SAE:,} latents: compiled against not", f"{times:.2f}×"))
    return lines


def _race(
    what: str, contestants: list[Contestant], task: dict, rounds: int, *, fvu: bool = True
) -> list[Line]:
    """Let contestants take turns of ten steps; then compare times, and errors on held-out rows."""
    outcomes = contest(contestants, task, rounds=rounds)
    lines = [_line(what, one, task) for one in outcomes.values()]
    if LIMIT.name in outcomes:
        share = ratio(outcomes[LIMIT.name], outcomes[SONDE.name])
        said = f"{what}, share of the encoder's product"
        lines.append(Line(said, f"{share:.2f}", f"at least {SHARE:g}", share >= SHARE))
    for one in contestants:
        if one in PEERS:
            free = FREE in contestants and (one is SAE_LENS or SONDE not in contestants)
            ours = outcomes[(FREE if free else SONDE).name]
            lines += _against(what, ours, outcomes[one.name], fvu=fvu)
        if one is SPARSIFY and FLAT in contestants:  # alike but for where they start
            lines += _against(what, outcomes[FLAT.name], outcomes[one.name], fvu=True)
    return lines


def _line(what: str, one: Outcome, task: dict) -> Line:
    said = f"{what}, {_shown(what, one.name)}"
    rate = f"{task['batch'] / one.median:,.0f} rows/s ({1e3 * one.median:.0f} ms a step)"
    if one.result is None:
        return Line(said, rate)
    return Line(said, f"{rate}, FVU {one.result[0]:.4f} after {_steps(task)} steps")


def _against(what: str, ours: Outcome, theirs: Outcome, *, fvu: bool) -> list[Line]:
    assert ours.result is not None
    assert theirs.result is not None
    times, wanted = ratio(theirs, ours), WANTED.get(theirs.name)
    said = f"{what}, {ours.name} against {_shown(what, theirs.name)}"
    if wanted is None:
        lines = [Line(said, f"{times:.2f}×")]
    else:
        lines = [Line(said, f"{times:.2f}×", f"at least {wanted:g}×", times >= wanted)]
    if fvu:
        worse = ours.result[0] / theirs.result[0]
        lines.append(
            Line(f"{said}, FVU", f"{worse:.3f}×", f"at most {NO_WORSE:g}×", bool(worse <= NO_WORSE))
        )
    return lines


def _shown(what: str, name: str) -> str:
    """Name what a library has in the place of a Matryoshka transcoder with skip."""
    nearest = {
        "SAELens": "SAELens (Matryoshka BatchTopK SAE, no skip)",
        "sparsify": "sparsify (skip transcoder, not nested)",
    }
    return nearest.get(name, name) if what == "Matryoshka skip transcoder" else name


def _steps(task: dict) -> int:
    return 4 + task["steps"] * task["rounds"]


def _tasks(rows: Rows, folder: Path, rounds: int) -> dict[str, dict]:
    """Write rows and first weights, and return what contestants are told of each race."""
    x, other = rows.train[SOURCE], rows.held_out[SOURCE]
    directions = np.random.default_rng(0).normal(size=(D_SAE, x.shape[1]))
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype("float32")
    given = {
        "x": x,
        "held_out_x": other,
        "directions": directions,
        "centre": x[:BATCH].mean(axis=0),
        "bias": np.zeros(D_SAE, "float32"),
    }
    targets = {"y": rows.train[TARGET], "held_out_y": rows.held_out[TARGET]}
    np.savez(folder / "sae.npz", **given)
    np.savez(folder / "aux.npz", **{**given, "bias": _quiet(given)})
    np.savez(folder / "transcoder.npz", **given, **targets)
    common = {
        "batch": BATCH,
        "steps": STEPS,
        "rounds": rounds,
        "threads": os.cpu_count(),
        "d_sae": D_SAE,
        "k": K,
        "lr": LR,
        "groups": [],
        "aux": False,
        "by_batch": False,
        "free": False,
        "clip": 1.0,
        "dense": "",
        "compile": False,
        "rows": str(folder / "sae.npz"),
    }
    nested = {"groups": GROUPS}
    return {
        "topk": common,
        "aux": {**common, "aux": True, "rows": str(folder / "aux.npz")},
        "transcoder": {**common, **nested, "rows": str(folder / "transcoder.npz")},
        "matryoshka": {**common, **nested, "by_batch": True},
    }


def _quiet(given: dict[str, np.ndarray]) -> np.ndarray:
    """Return biases with which a quarter of the latents is rarely among the k highest."""
    pre = (given["x"][:256] - given["centre"]) @ given["directions"].T
    limit = float(np.median(np.sort(pre, axis=1)[:, -K]))
    return np.where(np.arange(D_SAE) % 4 == 0, -limit / 2, 0).astype("float32")
