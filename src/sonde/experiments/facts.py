"""Facts: what an estimate needs to know, found without running anything.

Examples are read from the data files, tokens counted by the model's tokenizer where that is at
hand and from the length of the text otherwise, sizes taken from the model's configuration.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sonde.activations.settings import ExtractSettings
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point, parse_site, resolve_layers
from sonde.core.positions import Pool, Position, Span
from sonde.data.examples import Example
from sonde.experiments.identity import with_path
from sonde.experiments.sizes import Sizes, count_tokens, sizes_of
from sonde.experiments.spec import Planned
from sonde.experiments.stage import Estimate
from sonde.experiments.stages.data import DataStage
from sonde.models.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
BATCH_TOKENS = 2048  # what a forward pass on a CPU holds at once; more on a GPU costs memory only


@dataclass(slots=True)
class Facts:
    """What is known about one variant before it runs. Look-ups are made once."""

    planned: Planned
    _examples: dict[str, tuple[Example, ...]] = field(default_factory=dict[str, Any])
    _tokens: dict[tuple[str, str], tuple[list[int], str]] = field(
        default_factory=dict[tuple[str, str], Any]
    )

    def examples(self, stage: str) -> tuple[Example, ...]:
        """Return the examples of a data stage, read from its file.

        Raises:
            SondeError: the file cannot be read.
        """
        if stage not in self._examples:
            settings = self.planned.experiment.stages[stage]
            assert isinstance(settings, DataStage)
            self._examples[stage] = settings.read(self.planned.base).examples
        return self._examples[stage]

    def model(self, own: ModelSpec | None) -> ModelSpec:
        """Return a stage's model: its own or the experiment's.

        Raises:
            SondeError: neither is named.
        """
        spec = own or self.planned.experiment.model
        if spec is None:
            raise SondeError("The experiment names no model.")
        return with_path(spec, self.planned.base)

    def tokens(self, stage: str, spec: ModelSpec) -> tuple[list[int], str]:
        """Return the number of tokens of each example, and how they were counted."""
        key = stage, spec.name
        if key not in self._tokens:
            self._tokens[key] = count_tokens(self.examples(stage), spec)
        return self._tokens[key]

    def pass_over(
        self, stage: str, spec: ModelSpec, layers: int | None = None
    ) -> tuple[float, float, str]:
        """Return operations and bytes moved by one forward pass, and what was counted."""
        sizes = sizes_of(spec)
        lengths, basis = self.tokens(stage, spec)
        depth = sizes.n_layers if layers is None else layers
        flops = sum(sizes.flops(length, depth) for length in lengths)
        n_batches = max(1, -(-sum(lengths) // BATCH_TOKENS))
        traffic = float(n_batches * sizes.block_bytes * depth)
        return flops, traffic, f"{sum(lengths):,} tokens {basis} through {depth} blocks"

    def extraction(
        self, stage: str, settings: ExtractSettings, own_model: ModelSpec | None
    ) -> Estimate:
        """Return the cost of extracting activations to disk."""
        spec = self.model(own_model)
        sizes = sizes_of(spec)
        depth, n_hooks = reach(settings, sizes)
        flops, traffic, basis = self.pass_over(stage, spec, depth)
        lengths, _ = self.tokens(stage, spec)
        rows = sum(_rows(position, lengths) for position in settings.wanted)
        width = sizes.d_model * BYTES[settings.dtype or sizes.dtype]
        return Estimate(
            flops=flops,
            traffic=traffic,
            memory=sizes.activation_bytes(min(sum(lengths), BATCH_TOKENS), n_hooks),
            disk=rows * n_hooks * width,
            basis=f"{basis}; {rows:,} rows at {n_hooks} hook points",
        )


def reach(settings: ExtractSettings, sizes: Sizes) -> tuple[int, int]:
    """Return how many blocks a pass must run, and the number of hook points it reads.

    Names that need the loaded model (module paths) count as one hook point at the last block.
    """
    names: Sequence[str] = (
        (settings.hooks,) if isinstance(settings.hooks, str) else settings.hooks
    )
    layers = resolve_layers(settings.layers, sizes.n_layers)
    depth, count = 0, 0
    for name in names:
        if name.startswith("blocks."):
            depth, count = max(depth, parse_hook_point(name).layer + 1), count + 1
        elif "." in name and not name.startswith(("hook_", "ln2", "attn.")):
            depth, count = sizes.n_layers, count + 1
        else:
            parse_site(name)
            depth, count = max(depth, layers[-1] + 1), count + len(layers)
    return depth, count


def _rows(position: Position, lengths: list[int]) -> int:
    """Return how many rows a position gives; spans inside an example are taken as a third of it."""
    if position.index is not None or position.pool is not Pool.EACH:
        return len(lengths)
    if position.span is Span.EOT:
        return 2 * len(lengths)
    whole = sum(lengths)
    return whole if position.span in (Span.ALL, Span.PROMPT) else whole // 3
