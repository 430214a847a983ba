"""The kinds of readers by the tag in a saved probe's header."""

from sonde.probes.reader import Linear, Reader

READERS: dict[str, type[Reader]] = {
    reader.name: reader
    for reader in (
        Linear,  # weight and bias: every linear probe
    )
}
