"""Processes that append to a ledger: ``python -m tests.ledger_writer LEDGER runs|whole ROWS N``.

Each of N processes prints the number of each run once the ledger has said that it is recorded.
``whole`` runs have a stage with three results. Negative ROWS go on until they are killed.
"""

import os
import sys
from dataclasses import replace
from itertools import count

from tests.ledgers import START

from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured, StageEnd, StageStart
from sonde.stats.interval import Interval

RESULTS = tuple(
    Measured(f"blocks.{layer}.resid_post", "auroc", Interval(0.8, 0.7, 0.9, 40), note="n" * 200)
    for layer in range(3)
)


def append(where: str, what: str, wanted: int) -> None:
    ledger = Ledger.open(where)
    for number in count():
        if number == wanted:
            return
        run = ledger.begin_run(replace(START, variant=f"number={number}"))
        if what == "whole":
            stage = ledger.begin_stage(run, StageStart("truth", "probe", f"key{run}", "/x"))
            ledger.end_stage(stage, StageEnd("done", results=RESULTS))
            ledger.end_run(run, "done", seconds=1.0)
        os.write(1, f"{run}\n".encode())  # in one piece, among those of the others


def main(where: str, what: str, wanted: int, processes: int) -> int:
    """Append in as many processes; return how many failed."""
    if processes == 1:
        append(where, what, wanted)
        return 0
    children: list[int] = []
    for _ in range(processes):
        child = os.fork()  # nothing is open yet, and starting Python anew takes half a second
        if not child:
            append(where, what, wanted)
            os._exit(0)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
