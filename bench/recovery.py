"""How well known causes are found, against SAELens: the same rows, steps and learning rate.

Activations of width 128 are made of causes in known directions; dictionaries of 1,024 latents are
trained on them from the same directions, with the lengths that each library starts with. The
penalty of JumpReLU and the auxiliary loss have the same weights beside the squared error. Causes
are found by the mean cosine of each with the latent that the best one-to-one assignment gives it
(MCC), by one function for both. Over seeds, each with causes, rows and starts of its own,
differences are paired.
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.contest import HERE, Contestant
from bench.table import Line

SONDE = Contestant("sonde", "recover_sonde.py")
SAE_LENS = Contestant("SAELens", "recover_sae_lens.py", "sae-lens")
KINDS = ("TopK", "BatchTopK", "JumpReLU", "Matryoshka")
SEEDS = 5
MARGIN = 0.01
D, D_SAE, CAUSES, ACTIVE = 128, 1_024, 512, 8
ROWS, BATCH, STEPS = 131_072, 1_024, 1_500
APART = 1_000  # between the seeds of causes and of starts
TASK = {
    "batch": BATCH,
    "steps": STEPS,
    "d_sae": D_SAE,
    "k": ACTIVE,
    "groups": [128, 384, 512],
    "kinds": KINDS,
    "lr": 3e-3,
    "threshold": 0.1,
    "bandwidth": 0.2,
    "l0": 0.5,
    "penalty_warmup": 200,
    "dead_steps": 200,
}


@dataclass(frozen=True)
class Found:
    """MCC by seed, of each library and kind of sparsity."""

    ours: dict[str, list[float]]
    theirs: dict[str, list[float]]


def recovery(rounds: int) -> list[Line]:
    """Train both on five seeds; more rounds are more seeds."""
    found = _found(max(SEEDS, rounds))
    return [line for kind in KINDS for line in _lines(kind, found)]


def _found(seeds: int) -> Found:
    from sonde.dictionaries.known_truth import KnownTruth, TruthSettings

    found = Found({kind: [] for kind in KINDS}, {kind: [] for kind in KINDS})
    for seed in range(1, seeds + 1):  # 0 chose the settings
        truth = KnownTruth(TruthSettings(n_causes=CAUSES, d=D, active=ACTIVE, seed=seed))
        with TemporaryDirectory() as name:
            folder = Path(name)
            np.savez(folder / "rows.npz", **_rows(truth, seed))
            with ThreadPoolExecutor() as pool:  # nothing is timed, and each needs one thread alone
                both = list(pool.map(_trained, (SONDE, SAE_LENS), [folder] * 2, [seed] * 2))
            for contestant, scores, decoders in zip(
                (SONDE, SAE_LENS), (found.ours, found.theirs), both, strict=True
            ):
                for kind in KINDS:
                    scores[kind].append(mcc(truth.directions.numpy(), decoders[kind]))
                told = ", ".join(f"{kind} {scores[kind][-1]:.4f}" for kind in KINDS)
                print(f"  seed {seed}, {contestant.name}: {told}", flush=True)
    return found


def _rows(truth, seed: int) -> dict[str, np.ndarray]:
    """Draw rows, scaled to a mean norm of sqrt(d), and the directions that sonde starts from."""
    from sonde.dictionaries.architecture import Architecture
    from sonde.dictionaries.dictionary import Dictionary
    from sonde.dictionaries.initialise import initialise

    x = np.concatenate([truth.draw(8_192, part).x.numpy() for part in range(ROWS // 8_192)])
    architecture = Architecture(sources=("blocks.0.resid_post",), d_in=(D,), d_sae=D_SAE)
    start = initialise(Dictionary(architecture), APART + seed).parts[0].decoder.detach().numpy()
    scale = np.sqrt(D) / np.linalg.norm(x, axis=1).mean()
    return {"x": scale * x, "directions": start}


def _trained(contestant: Contestant, folder: Path, seed: int) -> dict[str, np.ndarray]:
    """Train every kind in a process of the library's own, and return the decoders."""
    answer = folder / f"{contestant.name}.npz"
    job = folder / f"{contestant.name}.json"
    told = {"rows": str(folder / "rows.npz"), "answer": str(answer), "threads": 1}
    job.write_text(json.dumps({**TASK, **told, "seed": APART + seed}))
    script = HERE / "workers" / contestant.script
    done = subprocess.run(
        [str(contestant.python), str(script), str(job)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{contestant.name} stopped.\n{done.stderr[-2000:]}")
    with np.load(answer) as found:
        return {kind: found[kind] for kind in found}


def mcc(directions: np.ndarray, decoder: np.ndarray) -> float:
    """Return the mean cosine of causes with the latents assigned to them."""
    import torch

    from sonde.dictionaries.recovery import recovery as recovered

    fires = torch.zeros(1, len(directions), dtype=torch.bool)
    active = torch.zeros(1, len(decoder), dtype=torch.bool)
    return recovered(torch.from_numpy(directions), torch.from_numpy(decoder), fires, active).mcc


def _lines(kind: str, found: Found) -> list[Line]:
    from sonde.stats import Scores, difference

    ours, theirs = (np.array(one[kind]) for one in (found.ours, found.theirs))
    seeds = np.arange(len(ours))
    apart = difference(
        Scores("mean", seeds, ours, None), Scores("mean", seeds, theirs, None)
    ).interval
    what = f"{D_SAE:,} latents for {CAUSES:,} causes at d {D}, {kind}"
    told = f"{apart.value:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}]"
    return [
        Line(f"{what}: MCC, sonde", f"{ours.mean():.4f}"),
        Line(f"{what}: MCC, SAELens", f"{theirs.mean():.4f}"),
        Line(
            f"{what}: difference over {len(seeds)} seeds",
            told,
            f"above −{MARGIN:g}",
            bool(apart.low > -MARGIN),
        ),
    ]
