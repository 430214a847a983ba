"""``sonde show`` of a probe's file."""

from collections.abc import Iterable
from pathlib import Path

from sonde.cli.console import heading, say, table
from sonde.core.words import in_words, power
from sonde.probes.artifact import ProbeHeader, header_in, load_probe
from sonde.probes.names import in_order
from sonde.probes.probe import Probe
from sonde.stats.metrics import METRICS

LABELS = 12  # more classes are counted


def show_probe(path: Path) -> None:
    """Print everything that a probe's file says of it: what, where, of what, how good."""
    probe, header = load_probe(path), header_in(path)
    say(f"{probe.kind} probe of {probe.hook} at {probe.position}")
    _facts(
        (
            ("says", says_in_words(probe)),
            (_name_of_labels(probe), in_words(probe.labels[:LABELS]) if probe.labels else ""),
            ("penalty", _penalty(probe)),
            ("reader", _reader(probe)),
            ("scaling", header.scaling),
        )
    )
    heading("Read from")
    _facts(_where(header))
    heading("Fitted on")
    _facts(
        (
            ("rows", f"{header.n_rows:,}" if header.n_rows else ""),
            ("training data", header.training_data),
            ("texts", header.origin.data_fingerprint),
        )
    )
    _scores(probe)
    heading("File")
    _facts(
        (
            ("format", str(header.format)),
            ("sonde", header.sonde_version),
            ("to use it", f"sonde.probes.Probe.load({str(path)!r}).apply(activations)"),
        )
    )


def says_in_words(probe: Probe) -> str:
    """Say what the probe's outputs are: a probability of what, a number, a distance."""
    names = probe.labels
    pair = names if len(names) == 2 else ("the first class", "the second class")
    if probe.says == "logit":
        return f"the probability of {pair[1]!r}, against {pair[0]!r}"
    if probe.says == "logits":
        return f"a probability for each of {len(names)} classes"
    if probe.says == "score":
        return f"a distance, above 0 on the side of {pair[1]!r}, below on that of {pair[0]!r}"
    if probe.says == "utility":
        return "a utility: of two items the one with more is preferred"
    return f"{len(names)} numbers" if len(names) > 1 else "a number"


def _name_of_labels(probe: Probe) -> str:
    return "targets" if probe.says == "number" else "classes"


def _penalty(probe: Probe) -> str:
    meaning = {
        "ridge": ", scikit-learn's alpha",
        "logistic": ", 1 / C of scikit-learn",
        "multinomial": ", 1 / C of scikit-learn",
    }
    return f"{power(probe.penalty)}{meaning.get(probe.kind, '')}" if probe.penalty else "none"


def _reader(probe: Probe) -> str:
    tensors = ", ".join(
        f"{name} {list(tensor.shape)}" for name, tensor in probe.reader.tensors().items()
    )
    pooled = "; it reads a text's tokens together" if probe.reader.pools else ""
    return f"{probe.reader.name} ({tensors}){pooled}"


def _where(header: ProbeHeader) -> tuple[tuple[str, str], ...]:
    origin = header.origin
    depth = f"{header.hook}, of {origin.n_layers} blocks" if origin.n_layers else header.hook
    return (
        ("model", header.model),
        ("revision", header.revision),
        ("weights", header.model_fingerprint),
        ("dtype", header.dtype),
        ("hook point", depth),
        ("width", f"{header.d_model:,}"),
        ("position", header.position),
        ("template", header.template),
        ("edits", origin.edits),
        ("activations by", f"sonde {origin.sonde_version}" if origin.sonde_version else ""),
    )


def _scores(probe: Probe) -> None:
    """Print metrics first, then what they are held against."""
    heading("Scores, out of fold")
    if not probe.metrics:
        say("It was not scored.")
        return
    own = sorted(name for name in probe.metrics if name in METRICS)
    others = in_order(name for name in probe.metrics if name not in METRICS)
    levels = {interval.level for interval in probe.metrics.values()}
    percent = f"{100 * levels.pop():g} % interval" if len(levels) == 1 else "interval"
    rows = [(name, str(probe.metrics[name]), f"{probe.metrics[name].n:,}") for name in own]
    rows += [
        (f"against {name}", str(probe.metrics[name]), f"{probe.metrics[name].n:,}")
        for name in others
    ]
    table(("", f"score [{percent}]", "units"), rows, numbers=1)


def _facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print what is known; what is empty is left out."""
    table(("", ""), [(f"  {name}", said) for name, said in rows if said])
