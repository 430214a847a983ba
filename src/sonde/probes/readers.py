"""The kinds of readers by the tag in a saved probe's header."""

from sonde.probes.attention_solver import AttentionReader
from sonde.probes.mlp_solver import MlpReader
from sonde.probes.multi_token_solver import MultiTokenReader
from sonde.probes.reader import Linear, Reader

READERS: dict[str, type[Reader]] = {
    reader.name: reader
    for reader in (
        Linear,  # weight and bias: every linear probe
        MlpReader,  # one hidden layer
        AttentionReader,  # attention over an example's tokens
        MultiTokenReader,  # a linear probe of each token, pooled
    )
}
