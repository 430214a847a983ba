"""Facts: what an estimate needs to know, found without running anything.

Examples are read from the data files, tokens counted by the model's tokenizer where that is at
hand and from the length of the text otherwise, sizes taken from the model's configuration.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sonde.activations.settings import ExtractSettings
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point, parse_site, resolve_layers
from sonde.core.positions import Pool, Position, Span
from sonde.core.quantities import bytes_in_words
from sonde.data.examples import Example
from sonde.experiments.identity import with_path
from sonde.experiments.probe_cost import files_bytes, fit_memory, host_flops, sweep_flops
from sonde.experiments.sizes import BYTES, Sizes, TokenCount, count_tokens, sizes_of
from sonde.experiments.spec import Planned
from sonde.experiments.stage import Estimate
from sonde.experiments.stages.data import DataStage
from sonde.experiments.stages.extract import ExtractStage
from sonde.experiments.stages.responses import ResponsesStage
from sonde.experiments.stages.token_task import TokenTaskStage
from sonde.experiments.stages.utilities import UtilitiesStage
from sonde.models.spec import ModelSpec
from sonde.probes.at_once import layers_at_once, scatter_bytes
from sonde.probes.settings import ProbeSettings
from sonde.vectors.settings import GradientSettings

BATCH_TOKENS = 2048  # of one forward pass
LAYER_SECONDS = 0.05  # of the intervals of one layer, its controls and its files
WORDS_SECONDS = 0.06  # of one fit of the bag-of-tokens baseline, which has WORDS_PENALTIES of them
WORDS_PENALTIES = 5

CountKey: TypeAlias = tuple[str, ModelSpec, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one variant before it runs.

    Tokens are counted once, and only their numbers are kept: the texts of a large data set would
    count as memory of the stages that run meanwhile.
    """

    planned: Planned
    dtype: str  # what ``dtype: auto`` stands for on the hardware in question
    _tokens: dict[CountKey, TokenCount] = field(default_factory=dict[CountKey, TokenCount])

    def of_variant(self, planned: Planned) -> "Facts":
        """Return the facts about another variant, with the tokens that were counted for this."""
        return replace(self, planned=planned)

    def examples(self, stage: str) -> tuple[Example, ...]:
        """Return the examples that a stage will give: a file's, or stand-ins of their length.

        Raises:
            SondeError: the file cannot be read.
        """
        return self._data(stage).foreseen(self.planned.base)

    def extraction(
        self,
        stage: str,
        settings: ExtractSettings,
        own_model: ModelSpec | None,
        *,
        kept: bool = True,
        passes: int = 1,
    ) -> Estimate:
        """Return the cost of reading activations; ``kept`` says that they go to disk.

        Raises:
            SondeError: the data, the model or a hook point is not there.
        """
        spec = self._model(own_model)
        sizes = sizes_of(spec, self.dtype)
        depth, n_hooks = reach(settings, sizes.n_layers)
        count = self._count(stage, spec, settings.template)
        rows = sum(rows_of(position, count.lengths) for position in settings.wanted)
        width = sizes.d_model * BYTES[settings.dtype or sizes.dtype]
        n_batches = -(-count.total // BATCH_TOKENS)
        basis = f"{count.total:,} tokens {count.basis} through {depth} blocks"
        return Estimate(
            flops=passes * sum(sizes.flops(length, depth) for length in count.lengths),
            traffic=float(passes * n_batches * sizes.block_bytes * depth),
            memory=sizes.pass_bytes(min(count.total, BATCH_TOKENS), n_hooks),
            disk=rows * n_hooks * width if kept else 0,
            tokens=passes * count.total,
            basis=f"{basis}; {rows:,} rows at {n_hooks} hook points" if kept else basis,
        )

    def stored_rows(self, activations: str) -> tuple[int, Sizes, str] | None:
        """Return how many rows an extraction will keep, its model's sizes and its dtype.

        None where activations are imported: their file is not counted.

        Raises:
            SondeError: the data or the model is not there.
        """
        stage = self.planned.experiment.stages[activations]
        if not isinstance(stage, ExtractStage):
            return None
        spec = self._model(stage.model)
        sizes = sizes_of(spec, self.dtype)
        lengths = self._count(stage.data, spec, stage.template).lengths
        rows = sum(rows_of(position, lengths) for position in stage.wanted)
        return rows, sizes, stage.dtype or sizes.dtype

    def probing(self, activations: str, method: ProbeSettings) -> Estimate:
        """Return the cost of a sweep of probes over activations that were or will be extracted.

        K folds take K (K + 1) / 2 splits, nested ones included; layers that do not fit in memory
        together take turns.
        """
        stage = self.planned.experiment.stages[activations]
        if not isinstance(stage, ExtractStage | TokenTaskStage):
            return Estimate(unknown=f"{activations} is imported, and its rows are not counted yet")
        sizes = sizes_of(self._model(stage.model), self.dtype)
        if isinstance(stage, TokenTaskStage):
            _, n_hooks = reach(stage.reading(), sizes.n_layers)
            rows = stage.rows  # at most
        else:
            _, n_hooks = reach(stage, sizes.n_layers)
            lengths = self._count(stage.data, self._model(stage.model), stage.template).lengths
            rows = sum(rows_of(position, lengths) for position in stage.wanted)
        splits = method.folds * (method.folds + 1) // 2
        flops = n_hooks * sweep_flops(rows, sizes.d_model, method)
        scatters = scatter_bytes(rows, sizes.d_model, method.folds)
        turn = min(n_hooks, layers_at_once(rows, sizes.d_model, method.folds))
        words = WORDS_SECONDS * WORDS_PENALTIES * splits if method.baseline else 0.0
        return Estimate(
            memory=fit_memory(rows, sizes.d_model, n_hooks, method),
            disk=files_bytes(rows, sizes.d_model, n_hooks, method),
            seconds=flops / host_flops(rows, sizes.d_model) + LAYER_SECONDS * n_hooks + words,
            basis=", ".join(
                [
                    _count(n_hooks, "layer"),
                    f"{rows:,} rows",
                    f"{method.folds} folds",
                    *_penalties(method),
                    *([f"{_count(turn, 'layer')} at a time"] if turn < n_hooks else []),
                    *([f"{bytes_in_words(scatters)} of scatters a layer"] if scatters else []),
                ]
            ),
        )

    def ascent(
        self, activations: str, settings: GradientSettings, own_model: ModelSpec | None
    ) -> Estimate:
        """Return the cost of directions by gradient: passes forwards and backwards, layer by layer.

        A pass backwards takes as long as two forwards.
        """
        stage = self.planned.experiment.stages[activations]
        if not isinstance(stage, ExtractStage):
            return Estimate(unknown=f"{activations} is imported, and its responses are not counted")
        spec = self._model(own_model)
        sizes = sizes_of(spec, self.dtype)
        _, n_hooks = reach(stage, sizes.n_layers)
        n_layers = min(n_hooks, len(resolve_layers(settings.layers, sizes.n_layers)))
        count = self._count(stage.data, spec, stage.template)
        responses = min(2 * settings.examples, len(count.lengths))
        length = -(-count.total // max(1, len(count.lengths)))
        times = 1 + settings.steps * n_layers
        return Estimate(
            flops=3 * times * responses * sizes.flops(length, sizes.n_layers),
            traffic=float(3 * times * sizes.block_bytes * sizes.n_layers),
            tokens=3 * times * responses * length,
            basis=f"{responses} responses forwards and backwards, {times} times",
        )

    def _model(self, own: ModelSpec | None) -> ModelSpec:
        spec = own or self.planned.experiment.model
        if spec is None:
            raise SondeError("The experiment names no model.")
        return with_path(spec, self.planned.base)

    def _count(self, stage: str, spec: ModelSpec, template: str) -> TokenCount:
        key = self._data(stage).model_dump_json(), spec, template
        if key not in self._tokens:
            chosen = ExtractSettings.model_validate({"template": template}).template
            self._tokens[key] = count_tokens(self.examples(stage), spec, chosen)
        return self._tokens[key]

    def _data(self, stage: str) -> DataStage | ResponsesStage:
        settings = self.planned.experiment.stages[stage]
        if isinstance(settings, UtilitiesStage):
            return self._data(settings.data)  # the same texts, with other labels
        assert isinstance(settings, DataStage | ResponsesStage)
        return settings


def reach(settings: ExtractSettings, n_layers: int) -> tuple[int, int]:
    """Return how many of a model's blocks a pass must run, and the number of hook points it reads.

    A name that only the loaded model can resolve (a module's path) counts as one hook point at
    the last block.

    Raises:
        SondeError: a site or layer does not exist.
    """
    names = (settings.hooks,) if isinstance(settings.hooks, str) else settings.hooks
    layers = resolve_layers(settings.layers, n_layers)
    depth, count = 0, 0
    for name in names:
        if name.startswith("blocks."):
            point = parse_hook_point(name)
            layers_of_name: Sequence[int] = resolve_layers(point.layer, n_layers)
        elif "layers." in name or name.startswith("transformer."):
            layers_of_name = (n_layers - 1,)
        else:
            parse_site(name)
            layers_of_name = layers
        depth, count = max(depth, layers_of_name[-1] + 1), count + len(layers_of_name)
    return depth, count


def rows_of(position: Position, lengths: Sequence[int]) -> int:
    """Return how many rows a position gives; a span inside a text is taken as a third of it."""
    if position.index is not None or position.pool is not Pool.EACH:
        return len(lengths)
    if position.span is Span.EOT:
        return 2 * len(lengths)
    whole = sum(lengths)
    return whole if position.span in (Span.ALL, Span.PROMPT) else whole // 3


def _penalties(method: ProbeSettings) -> list[str]:
    """Count the penalties of a kind that has any."""
    known = "penalties" in type(method).model_fields
    return [_count(len(method.penalties), "penalty", "penalties")] if known else []


def _count(n: int, one: str, several: str = "") -> str:
    return f"{n} {one if n == 1 else several or f'{one}s'}"
