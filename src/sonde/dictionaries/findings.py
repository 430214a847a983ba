"""What a dictionary's weights alone say of whether it can work: norms, thresholds, dead latents."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.dictionaries.block import Block
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.sparsity import BatchTopK, JumpReLU, TopK

DRIFT = 0.05  # of the median norm: by this much a row has drifted from unit length
FEW = 0.01  # share of rows up to which a drift is of a few
QUIET = 100.0  # times the median norm that makes a latent fire, from which one hardly ever does


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, in words; what is not ``good`` needs a look."""

    name: str
    good: bool
    words: str


def faults(dictionary: Dictionary) -> tuple[Finding, ...]:
    """Return what of a dictionary's weights needs a look; nothing where all is well."""
    return tuple(one for one in weight_findings(dictionary) if not one.good)


def weight_findings(dictionary: Dictionary) -> tuple[Finding, ...]:
    """Look at a dictionary's weights, block by block."""
    found: list[Finding] = []
    several = len(dictionary.parts) > 1
    for number, block in enumerate(dictionary.parts):
        where = f" of block {number}" if several else ""
        found.append(_finite(block, where))
        if found[-1].good:
            found += [_norms(block, where), *_thresholds(block, where), _reachable(block, where)]
    return tuple(found)


@torch.no_grad()
def reach(block: Block) -> Float[Tensor, " latent"]:
    """Return how long an encoded row must at least be for each latent to fire.

    (threshold - bias) / |encoder row|, by Cauchy and Schwarz: a shorter row cannot reach it, in
    whatever direction. 0 where any row might; infinite where none can.
    """
    bias, sparsity = block.bias, block.sparsity
    limit = torch.zeros_like(bias)
    if isinstance(sparsity, JumpReLU) and isinstance(block.threshold, Tensor):
        limit = block.threshold.clamp(min=0)
    elif isinstance(sparsity, TopK) and not sparsity.relu:
        return torch.zeros_like(bias)
    if hasattr(block, "gate_bias"):
        bias = block.gate_bias
    length = block.encoder.norm(dim=1)
    needed = (limit - bias).clamp(min=0)
    far = torch.where(
        length > 0, needed / length.clamp(min=torch.finfo(length.dtype).tiny), torch.inf
    )
    return torch.where((needed == 0) & ((length > 0) | (bias > limit)), 0.0, far)


def _finite(block: Block, where: str) -> Finding:
    wrong = [name for name, one in block.named_parameters() if not bool(one.isfinite().all())]
    said = f"{', '.join(wrong)} have NaN or Inf" if wrong else "all finite"
    return Finding(f"Weights{where}", not wrong, said)


def _norms(block: Block, where: str) -> Finding:
    norm = block.decoder.detach().float().norm(dim=1)
    median = float(norm.median())
    name, n = f"Decoder norms{where}", len(norm)
    zero = int((norm == 0).sum())
    if not median:
        return Finding(name, False, f"{zero:,} of {n:,} decoder rows are zero")
    off = (norm / median - 1).abs()
    drifted = int((off > DRIFT).sum())
    span = f"median {median:.4g}, from {float(norm.min()):.4g} to {float(norm.max()):.4g}"
    if zero:
        return Finding(
            name, False, f"{zero:,} of {n:,} rows are zero, so they write nothing; {span}"
        )
    if drifted == 0:
        return Finding(name, True, f"all alike: {span}")
    if drifted <= FEW * n:
        worst = float(off.max())
        return Finding(
            name,
            False,
            f"{drifted:,} of {n:,} rows drift from the others by up to {worst:.0%}; {span}",
        )
    return Finding(
        name, True, f"of different lengths, as where norms are free or scales folded in; {span}"
    )


def _thresholds(block: Block, where: str) -> tuple[Finding, ...]:
    name = f"Thresholds{where}"
    if isinstance(block.sparsity, BatchTopK):
        unset = math.isnan(float(block.threshold))
        said = "not set: each batch then chooses its own k times rows" if unset else (
            f"{float(block.threshold):.4g} for all latents"
        )  # fmt: skip
        return (Finding(name, not unset, said),)
    if not isinstance(block.sparsity, JumpReLU):
        return ()
    threshold = block.threshold.detach().float()
    span = f"from {float(threshold.min()):.4g} to {float(threshold.max()):.4g}"
    n, low = len(threshold), int((threshold <= 0).sum())
    if low:
        return (Finding(name, low < FEW * n, f"{low:,} of {n:,} are 0 or negative, {span}"),)
    alike, counts = threshold.unique(return_counts=True)
    most, value = int(counts.max()), float(alike[counts.argmax()])
    if most == n:
        return (Finding(name, True, f"{value:.4g} for all, as of a BatchTopK saved as JumpReLU"),)
    if most > n // 2:
        words = (
            f"{most:,} of {n:,} are {value:.4g} to the digit: frozen, as small ones are in bfloat16"
        )
        return (Finding(name, False, words),)
    return (Finding(name, True, span),)


def _reachable(block: Block, where: str) -> Finding:
    name, far = f"Latents{where}", reach(block)
    n, never = len(far), int(far.isinf().sum())
    usual = far[(far > 0) & far.isfinite()]
    quiet = 0
    if len(usual):
        quiet = int((usual > QUIET * usual.median()).sum())
    if never or quiet:
        said = [f"{never:,} of {n:,} can never fire"] if never else []
        if quiet:
            said.append(f"{quiet:,} have biases so low that hardly any row fires them")
        return Finding(name, False, "; ".join(said))
    return Finding(name, True, f"all {n:,} can fire")
