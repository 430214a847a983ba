"""Gemma Scope's forward."""

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import jump_relu, like


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = relu(p) * (p > threshold)``, ``p = x W_enc + b_enc``, then ``f W_dec + b_dec``.

    Lieberum et al. (2024); nothing is taken off, of SAEs and transcoders alike.
    """
    (x,) = rows
    t = like(content.tensors, x)
    f = jump_relu(x @ t["W_enc"] + t["b_enc"], t["threshold"])
    return Forward(f, (f @ t["W_dec"] + t["b_dec"],))
