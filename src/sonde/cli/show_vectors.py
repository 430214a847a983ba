"""``sonde show`` of a vector's file, and of a set's."""

from collections.abc import Iterable
from pathlib import Path

from sonde.activations.origin import Origin
from sonde.cli.console import heading, say, table
from sonde.core.words import in_words, true_minus
from sonde.vectors.artifact import vector_header_in
from sonde.vectors.vector import Vector
from sonde.vectors.vector_set import VectorSet

SPREAD = "cohens_d"


def show_vector(path: Path) -> None:
    """Print everything that a vector's file says: what, where, its unit, how well it separates."""
    vector, header = Vector.load(path), vector_header_in(path)
    say(f"{vector.kind} vector of {vector.hook} at {vector.position}")
    negative, positive = vector.labels
    _facts(
        (
            ("trait", vector.trait),
            ("points from", f"{negative!r} to {positive!r}"),
            ("method", vector.method),
            ("cleaning", vector.cleaning),
            ("length as made", f"{vector.length:.4g}, scaled to 1"),
            ("unit", _unit(vector)),
            ("massive dimensions", in_words(vector.massive) if vector.massive else "none known"),
            ("massive share", _share(vector)),
            ("note", vector.note),
        )
    )
    heading("Read from")
    _facts((("hook point", str(vector.hook)), ("position", vector.position)))
    _facts((*_where(vector.origin), ("width", f"{vector.d_model:,}")))
    heading("Fitted on")
    _facts(
        (
            ("rows", f"{vector.n_rows:,}" if vector.n_rows else ""),
            ("training data", vector.training_data),
            ("texts", vector.origin.data_fingerprint),
        )
    )
    _scores(vector)
    heading("File")
    _facts(
        (
            ("format", str(header.format)),
            ("sonde", header.sonde_version),
            ("to use it", f"sonde.vectors.Vector.load({str(path)!r}).edit(1.0)"),
            ("in another tool", f"sonde export {path} --to gguf --out {path.stem}.gguf"),
        )
    )


def show_vector_set(path: Path) -> None:
    """Print a set: where it comes from, and a line for each kind and position with its best layer.

    The best layer is that with the highest Cohen's d on held-out rows.
    """
    vectors = VectorSet.load(path)
    say(f"{len(vectors):,} vectors: {', '.join(vectors.kinds)}")
    traits = dict.fromkeys(one.trait for one in vectors if one.trait)
    hooks = [str(one) for one in vectors.hooks]
    _facts(
        (
            ("trait", ", ".join(traits)),
            ("positions", ", ".join(vectors.positions)),
            ("hook points", in_words(hooks)),
            ("rows", in_words(sorted({one.n_rows for one in vectors if one.n_rows}))),
            ("typical norm", _norms(vectors)),
            ("massive dimensions", in_words(vectors[0].massive) if len(vectors) else ""),
        )
    )
    heading("Read from")
    for origin in dict.fromkeys(one.origin.model_dump_json() for one in vectors):
        _facts(_where(Origin.model_validate_json(origin)))
    heading("At the layer that separates held-out rows best")
    table(
        ("vector", "position", "layer", "accuracy", "Cohen's d", "massive share"),
        [_line(vectors, kind, place) for place in vectors.positions for kind in vectors.kinds],
        numbers=1,
    )
    for note in vectors.notes:
        say(f"Note: {note}")
    heading("To use it")
    say(f"  sonde.vectors.VectorSet.load({str(path)!r}).select(method=…, layer=…, position=…)")
    say(f"  sonde export {path} --to gguf --out vector.gguf --select method=…,layer=…,position=…")


def _line(vectors: VectorSet, kind: str, position: str) -> tuple[str, ...]:
    own = [one for one in vectors if (one.kind, one.position) == (kind, position)]
    if not own:
        return kind, position, "–", "–", "–", "–"
    scored = [one for one in own if SPREAD in one.metrics]
    if not scored:
        return kind, position, in_words([one.layer for one in own]), "not scored", "–", "–"
    best = max(scored, key=lambda one: one.metrics[SPREAD].value)
    accuracy = str(best.metrics["accuracy"]) if "accuracy" in best.metrics else "–"
    share = f"{best.massive_share:.0%}" if best.massive else "–"
    spread = true_minus(str(best.metrics[SPREAD]))
    return kind, position, str(best.layer), accuracy, spread, share


def _unit(vector: Vector) -> str:
    if vector.typical_norm is None:
        return "not known: the typical norm was not measured"
    return f"a coefficient of 1 adds {vector.typical_norm:.4g}, the typical norm of its layer"


def _share(vector: Vector) -> str:
    return f"{vector.massive_share:.1%} of its squared length" if vector.massive else ""


def _norms(vectors: VectorSet) -> str:
    """Say what typical norms there are, by layer."""
    by_layer = {one.layer: one.typical_norm for one in vectors if one.typical_norm is not None}
    if not by_layer:
        return "not measured: coefficients have no unit"
    return in_words({f"layer {layer}": norm for layer, norm in sorted(by_layer.items())})


def _where(origin: Origin) -> tuple[tuple[str, str], ...]:
    return (
        ("model", origin.model),
        ("revision", origin.revision),
        ("weights", origin.model_fingerprint),
        ("blocks", str(origin.n_layers) if origin.n_layers else ""),
        ("dtype", origin.dtype),
        ("template", origin.template),
        ("edits", origin.edits),
    )


def _scores(vector: Vector) -> None:
    heading("Scores, on rows it was not made from")
    if not vector.metrics:
        say("It was not scored.")
        return
    rows = [
        (name.replace("_", " "), true_minus(str(value)), f"{value.n:,}")
        for name, value in sorted(vector.metrics.items())
    ]
    table(("", "score [95 % interval]", "units"), rows, numbers=1)


def _facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print what is known; what is empty is left out."""
    table(("", ""), [(f"  {name}", said) for name, said in rows if said])
