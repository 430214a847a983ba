"""Six steps, compiled and not, in a process of its own: where types are checked as code runs, as in
the tests' process, each check would be compiled as well."""

import json
import sys

import torch

from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.sparsity import Gated, JumpReLU, ReLU
from sonde.dictionaries.training import Training
from sonde.dictionaries.training.start import Start
from sonde.dictionaries.training.trainee import Trainee

HOOK = parse_hook_point("blocks.0.resid_post")


def trained(sparsity, **recipe):
    """Return weights by name and the losses; the penalty rises over four steps."""
    rows = torch.randn(6, 32, 8, generator=torch.Generator().manual_seed(0))
    made = Architecture(sources=(str(HOOK),), d_in=(8,), d_sae=16, sparsity=sparsity)
    start = Start({HOOK: 1.0}, {HOOK: 8.0}, {HOOK: torch.zeros(8)})
    one = Trainee.fresh(made, Training(penalty_warmup=4, lr=1e-2, **recipe), start, 6)
    losses = [one.step([x], [x], number).total.item() for number, x in enumerate(rows)]
    return {name: weight.tolist() for name, weight in one.dictionary.state_dict().items()}, losses


if __name__ == "__main__":
    torch.set_num_threads(1)
    both = {}
    for one in (ReLU(l1=0.1), JumpReLU(threshold=0.1, l0=0.1), Gated(l1=0.1)):
        torch._dynamo.reset()
        with torch._dynamo.config.patch(error_on_recompile=True):
            both[one.kind] = (trained(one), trained(one, compile=True))
    sys.stdout.write(json.dumps(both))
