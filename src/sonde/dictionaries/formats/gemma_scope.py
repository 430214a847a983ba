"""Gemma Scope: ``params.npz`` in a folder ``layer_<L>/width_<W>/average_l0_<N>``."""

import re
from pathlib import Path

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import Site
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.foreign_hooks import Named, chosen
from sonde.dictionaries.formats.naive.gemma_scope import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_npz
from sonde.dictionaries.formats.shapes import checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made
from sonde.dictionaries.sparsity import JumpReLU

PARAMS = "params.npz"
# What the repositories are called after, behind `gemma-scope-<size>-`.
SOURCES = {
    "transcoders": Site.MLP_NORMED_UNGAINED,
    "res": Site.RESID_POST,
    "mlp": Site.MLP_OUT,
    "att": Site.HEAD_OUT,
}
_REPOSITORY = re.compile(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)")


def _load(path: Path, where: str) -> Content:
    file = path if path.suffix == ".npz" else path / PARAMS
    tensors, notes = in_float32(read_npz(file))
    return Content(where, {}, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    d_in, d_sae = matrix(content, "W_enc")
    d_out = matrix(content, "W_dec")[1]
    t = content.tensors
    one = dict.fromkeys(("b_enc", "threshold"), (d_sae,))
    checked(content, {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_out), "b_dec": (d_out,), **one})
    kind = "transcoder" if d_out != d_in else ""
    hooks = chosen(content, given, _named(content.where), kind)
    architecture = described(
        content,
        hooks,
        d_in=d_in,
        d_out=d_out,
        d_sae=d_sae,
        sparsity=JumpReLU(),
        centred=None if hooks.targets else False,
    )
    weights = Weights(
        encoder=t["W_enc"].T,
        bias=t["b_enc"],
        decoder=t["W_dec"],
        out_bias=t["b_dec"],
        threshold=t["threshold"],
    )
    origin = Origin(model=_model(content.where), hooks=hooks.every)
    return Loaded(made(architecture, weights), origin, content.notes).noting(*hooks.notes)


def _named(where: str) -> Named:
    """Return source and target by the names of the repository and its folders."""
    layer, repository = re.search(r"layer_(\d+)", where), _REPOSITORY.search(where)
    if "embedding" in where:
        raise SondeError(
            f"{where} is a dictionary of the embeddings, which are no hook point of sonde's."
        )
    if layer is None or repository is None:
        return None, None
    source = f"blocks.{layer[1]}.{SOURCES[repository[3]]}"
    target = f"blocks.{layer[1]}.{Site.MLP_OUT}" if repository[3] == "transcoders" else None
    return source, target


def _model(where: str) -> str:
    found = _REPOSITORY.search(where)
    if found is None:
        return ""
    return f"google/gemma-2-{found[1]}{'-it' if found[2] == 'it' else ''}"


def _finds(path: Path) -> bool:
    return path.suffix == ".npz" if path.is_file() else (path / PARAMS).is_file()


GEMMA_SCOPE = Format("gemma-scope", "Gemma Scope", _finds, _load, _read, forward)
