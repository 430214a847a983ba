"""One dictionary being trained: its weights, optimiser and living latents, step by step."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary, Reconstruction
from sonde.dictionaries.initialise import initialise, reads_what_it_writes, turn_decoders
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.parallel.gradients import WithLoss, data_parallel, norm_of_gradients
from sonde.dictionaries.parallel.share import WHOLE, Share
from sonde.dictionaries.parallel.storing import shared, whole
from sonde.dictionaries.sparsity import BatchTopK, JumpReLU, ReLU, TopK
from sonde.dictionaries.training.living import Living, resample
from sonde.dictionaries.training.losses import Loss, Wanted, loss_of, penalty_weight
from sonde.dictionaries.training.machine import check_machine
from sonde.dictionaries.training.optimisers import (
    clip_gradients,
    forget_rows,
    load_state,
    make_unit,
    optimisers_of,
    set_learning_rate,
    state_of,
    take_out_lengthening,
)
from sonde.dictionaries.training.raw_units import RawUnits
from sonde.dictionaries.training.schedules import k_at, learning_rate, penalty_at
from sonde.dictionaries.training.settings import Training
from sonde.dictionaries.training.sharing import check_sharing
from sonde.dictionaries.training.start import Start

NEVER = 1 << 62  # rows


@dataclass(slots=True, eq=False)
class Trainee:
    """A dictionary of scaled rows, or a share of one, and all that its next step depends on."""

    dictionary: Dictionary
    training: Training
    start: Start
    steps: int
    optimisers: list[torch.optim.Optimizer] = field(init=False)
    living: Living = field(init=False)
    loss: Callable[..., Loss] = field(init=False)

    def __post_init__(self) -> None:
        check_sharing(self.training, self.dictionary.share)
        check_machine(self.training, self.dictionary.bias[0].device)
        self.optimisers = optimisers_of(self.dictionary, self.training.optimiser)
        self.living = Living.of(self.dictionary, self.training.dead_after or NEVER)
        self.loss = data_parallel(WithLoss(self.dictionary, loss_of))
        if self.training.compile:
            self.loss = torch.compile(self.loss)

    @classmethod
    def fresh(
        cls,
        architecture: Architecture,
        training: Training,
        start: Start,
        steps: int,
        device: torch.device | str = "cpu",
        share: Share = WHOLE,
    ) -> "Trainee":
        """Start a dictionary; its weights are a function of the seed and the first rows."""
        centres = [
            start.centre[parse_hook_point(hook)].cpu()
            for hook in architecture.outputs
            if start.centre  # none where a checkpoint has the weights
        ]
        made = initialise(Dictionary(architecture), training.seed, centres)
        if share.everyone.world == 1:  # the whole of what is shared need not fit one device
            made = made.to(device)
        if start.first and not reads_what_it_writes(architecture):
            where = made.bias[0].device
            hooks = (architecture.sources, architecture.outputs)
            rows = (
                [start.first[parse_hook_point(hook)].to(where) for hook in one] for one in hooks
            )
            turn_decoders(made, *rows)
        if share.everyone.world > 1:
            made = shared(made, share)
        return cls(made.to(device).train(), training, start, steps)

    @property
    def architecture(self) -> Architecture:
        """The dictionary's architecture."""
        return self.dictionary.architecture

    @property
    def keeps_unit(self) -> bool:
        """Whether decoder rows are kept at length 1."""
        asked, sparsity = self.training.decoder_norm, self.architecture.sparsity
        by_norm = isinstance(sparsity, TopK | BatchTopK) and sparsity.by_norm
        counted = by_norm or isinstance(sparsity, ReLU)
        return asked == "unit" or (asked == "auto" and not counted)

    def rows_of(
        self, scaled: dict[HookPoint, Float[Tensor, "row _"]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the sources and the targets, in the architecture's order."""
        sources = [scaled[parse_hook_point(hook)] for hook in self.architecture.sources]
        targets = [scaled[parse_hook_point(hook)] for hook in self.architecture.outputs]
        return sources, targets

    def step(self, sources: Sequence[Tensor], targets: Sequence[Tensor], number: int) -> Loss:
        """Take step ``number``, counted from 0; return the loss before it.

        All processes give the whole batch; the loss that is returned is of this one's rows.
        """
        training, share = self.training, self.dictionary.share
        sources, targets = ([share.own_rows(x) for x in some] for some in (sources, targets))
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        with self._precision(sources[0].device):
            loss = self.loss(sources, targets, self._wanted(number))
        loss.total.backward()
        if self.keeps_unit:
            take_out_lengthening(self.dictionary)
        if training.clip is not None:
            norm = norm_of_gradients(self.dictionary)
            clip_gradients(self.dictionary.parameters(), self._most(training.clip), norm)
        set_learning_rate(self.optimisers, learning_rate(training, number, self.steps))
        for optimiser in self.optimisers:
            optimiser.step()
        if self.keeps_unit:
            make_unit(self.dictionary)
        self._keep_positive()
        self.living.saw(loss.made.latents, share.rows.world * len(sources[0]))
        self._resample(sources, targets, loss, number)
        return loss

    @torch.no_grad()
    def reconstruct(self, sources: Sequence[Tensor]) -> Reconstruction:
        """Return what the dictionary makes of scaled rows when it does not train."""
        self.dictionary.eval()
        made = self.dictionary(*sources)
        self.dictionary.train()
        return made

    @property
    def raw(self) -> RawUnits:
        """What brings scaled rows back to raw ones."""
        return RawUnits(self.architecture, self.start.scale)

    def in_raw_units(self, latents: Sequence[Latents]) -> list[Latents]:
        """Return activations as ``whole`` would give them, with the weights as they are now."""
        return self.raw.activations(self.dictionary, latents)

    def whole(self) -> Dictionary:
        """Return the dictionary of raw rows; see ``RawUnits``."""
        return self.raw.dictionary(self.dictionary)

    def gathered(self) -> Dictionary | None:
        """Return ``whole`` of a dictionary that processes share, at the first; None at others."""
        found = whole(self.dictionary)
        return None if found is None else self.raw.dictionary(found)

    def state(self) -> dict[str, Tensor]:
        """Return everything that the next steps depend on, as named tensors."""
        weights = {f"weights.{name}": one for name, one in self.dictionary.state_dict().items()}
        moments = {f"optimiser.{name}": one for name, one in state_of(self.optimisers).items()}
        since = {f"since.{number}": one for number, one in enumerate(self.living.since)}
        return weights | moments | since

    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what ``state`` returned."""
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimiser": {}, "since": {}}
        for name, one in state.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = one
        self.dictionary.load_state_dict(parts["weights"])
        load_state(self.optimisers, parts["optimiser"])
        for number, one in parts["since"].items():
            self.living.since[int(number)].copy_(one)

    def _wanted(self, number: int) -> Wanted:
        """Say what the loss of a step is made of."""
        architecture, training = self.architecture, self.training
        sparsity = architecture.sparsity
        by_count = isinstance(sparsity, TopK | BatchTopK)
        aux = training.aux if by_count else None
        widths = [block.encoder.shape[1] for block in self.dictionary.parts]
        weight = penalty_weight(architecture)
        penalty = None
        if weight:
            penalty = self.dictionary.bias[0].new_tensor(penalty_at(training, weight, number))
        return Wanted(
            variance=tuple(
                self.start.variance[parse_hook_point(hook)] for hook in architecture.outputs
            ),
            penalty=penalty,
            spare=self.living.spares(aux, widths) if aux is not None else (),
            aux=aux.weight if aux is not None else 0.0,
            k=k_at(training, sparsity.k, number) if by_count else None,
        )

    def _most(self, clip: float) -> float:
        """Return the limit of the slopes' norm for one that is given for squared errors.

        The loss is squared error over variance, and so are its slopes.
        """
        variances = [self.start.variance[parse_hook_point(h)] for h in self.architecture.outputs]
        return clip * len(variances) / sum(variances)

    def _precision(self, device: torch.device) -> AbstractContextManager[object]:
        if self.training.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    @torch.no_grad()
    def _keep_positive(self) -> None:
        """Keep thresholds from turning negative, where they would do nothing."""
        if isinstance(self.architecture.sparsity, JumpReLU):
            for block in self.dictionary.parts:
                block.threshold.clamp_(min=0.0)

    def _resample(
        self, sources: Sequence[Tensor], targets: Sequence[Tensor], loss: Loss, number: int
    ) -> None:
        settings, done = self.training.resampling, number + 1
        if settings is None or done % settings.every or done > settings.until:
            return
        missed = [
            (target - made).detach()
            for target, made in zip(targets, loss.made.targets, strict=True)
        ]
        by_block = [
            torch.cat([missed[target] for target in reach.targets], dim=1)
            for reach in self.architecture.reaches
        ]
        read = [one.detach() for one in self.dictionary.read(sources)]
        seed = (self.training.seed, done)
        dead = resample(self.dictionary, self.living, read, by_block, settings, seed)
        forget_rows(self.optimisers, self.dictionary, dead)
