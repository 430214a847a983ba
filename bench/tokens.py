"""Token tasks against the bare forward passes: the example as its file has it, fits included."""

import os
from pathlib import Path

import numpy as np

from bench.contest import Contestant, Outcome, contest, ratio
from bench.model import model_folder, tokenizer_of
from bench.table import Line

EXAMPLE = Path(__file__).parents[1] / "examples" / "the-token" / "embedded.yaml"
SONDE = Contestant("sonde", "run_token_task.py")
BARE = Contestant("bare forward", "run_bare_batches.py")
MOST = 1.15  # times the bare passes


def tokens(rounds: int) -> list[Line]:
    """The whole stage and the fits of all layers, against the passes over the same batches."""
    return token_lines(rounds)


def token_lines(rounds: int, **smaller: int) -> list[Line]:
    """Run the example; ``smaller`` replaces settings of its token task for a quick look."""
    from sonde.activations.plan import plan_batches
    from sonde.activations.token_picking import asked_of, pick_rows
    from sonde.activations.token_task_settings import TokenTaskSettings
    from sonde.data.text_folders import read_texts_of
    from sonde.experiments.spec import read_specification

    stages = read_specification(EXAMPLE).variants[0].experiment.stages
    keys = set(TokenTaskSettings.model_fields)
    settings = stages["next"].model_dump(mode="json", include=keys) | smaller
    method = stages["foresees"].model_dump(mode="json", include={"method"})["method"]
    folder, chosen = model_folder(), TokenTaskSettings.model_validate(settings)
    texts = read_texts_of(chosen.texts)
    asked = asked_of(tokenizer_of(folder), chosen.context, texts, chosen)
    rows, facts = pick_rows(asked, chosen)
    lengths = np.diff(rows.starts)
    plan = plan_batches(lengths, chosen.token_budget or 2_048)
    task = {
        "model": str(folder),
        "texts": [one.text for one in texts.documents],
        "names": [one.name for one in texts.documents],
        "settings": settings,
        "method": method,
        "batches": [_padded(rows, plan.batch(at)) for at in range(len(plan.sizes))],
        "layers": [],
        "threads": os.cpu_count(),
    }
    outcomes = contest([SONDE, BARE], task, rounds=rounds)
    ours, bare = outcomes["sonde"], outcomes["bare forward"]
    what = f"{facts.tokens_run:,} tokens"
    times = ratio(ours, bare)
    n_layers = len(ours.result) if ours.result is not None else 0
    return [
        _speed(f"{what}, bare forward", bare, facts.tokens_run),
        _speed(f"{what}, {n_layers} layers, {len(rows):,} rows, probes fitted", ours,
               facts.tokens_run),
        Line("with everything, against the bare passes", f"{times:.2f}×", f"at most {MOST}×",
             times <= MOST),
    ]  # fmt: skip


def _padded(rows, members: np.ndarray) -> list[list[int]]:
    """Return a batch as the passes have it: padded on the right to its longest row."""
    sequences = [rows.ids[rows.starts[one] : rows.starts[one + 1]].tolist() for one in members]
    width = max(map(len, sequences))
    return [one + [0] * (width - len(one)) for one in sequences]


def _speed(what: str, outcome: Outcome, count: int) -> Line:
    return Line(what, f"{count / outcome.median:,.0f} tokens/s ({outcome.median:.1f} s)")
