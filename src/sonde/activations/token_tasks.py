"""Token tasks run: rows picked before the model runs, and read in one pass for all layers.

Nothing is stored but which tokens are rows. The activations of those live in memory, rows times
hook points times ``d_model``; they are computed once, and again where another process wants them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

import sonde
from sonde.activations.activations import ActivationsInMemory, RowTable, Skipped
from sonde.activations.extraction import in_memory
from sonde.activations.origin import Origin
from sonde.activations.passes import Job
from sonde.activations.plan import plan_batches
from sonde.activations.settings import ExtractSettings
from sonde.activations.streaming import ActivationStream, token_budget
from sonde.activations.token_picking import asked_of, pick_rows
from sonde.activations.token_rows import OTHER, TokenRows, TokenTaskFacts
from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.data.text_folders import read_texts_of
from sonde.models.model import Model


@dataclass(frozen=True, slots=True)
class Source:
    """Where the activations of token rows come from: a model, loaded when first needed."""

    load: Callable[[], Model]
    settings: ExtractSettings
    progress: bool = False


class TokenActivations:
    """The activations of a token task's rows, with their labels; computed when first asked for."""

    def __init__(
        self,
        rows: TokenRows,
        facts: TokenTaskFacts,
        origin: Origin,
        source: Source,
        skipped: tuple[Skipped, ...] = (),
    ) -> None:
        self.picked = rows
        self.facts = facts
        self.origin = origin
        self.skipped = skipped
        self.source = source
        self._rows = rows.prepared().table(np.arange(len(rows)))
        self._held: Mapping[HookPoint, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.picked)

    def __repr__(self) -> str:
        return f"TokenActivations({len(self)} rows, {len(self.hooks)} hooks)"

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        return tuple(parse_hook_point(text) for text in self.origin.hooks)

    @property
    def rows(self) -> RowTable:
        """The row table: examples are chunks, groups are documents."""
        return self._rows

    @property
    def labels(self) -> np.ndarray:
        """The class of each row, as text: ``other``, or the target."""
        return np.where(self.picked.label, self.facts.target, OTHER)

    @property
    def truncated(self) -> int:
        """No chunk is shortened: they are cut to size."""
        return 0

    def tensor(self, hook: HookPoint | str) -> Float[Tensor, "row ..."]:
        """Return the activations at one hook point; the first call runs the model for all.

        Raises:
            SondeError: nothing is read there, or the model is no longer the one that was.
        """
        point = parse_hook_point(hook) if isinstance(hook, str) else hook
        if point not in self.hooks:
            raise SondeError(
                f"There are no activations at {point}.",
                fix=f"Read are {', '.join(map(str, self.hooks))}.",
            )
        if self._held is None:
            self._held = self._again()
        return self._held[point]

    def hold(self, tensors: Mapping[HookPoint, Tensor]) -> "TokenActivations":
        """Keep activations that were computed already, ``[row, d_model]`` at every hook point."""
        self._held = tensors
        return self

    def _again(self) -> Mapping[HookPoint, Tensor]:
        model = self.source.load()
        found = _run(model, self.picked, self.source)
        if found.origin.model_copy(update={"sonde_version": ""}) != self.origin.model_copy(
            update={"sonde_version": ""}
        ) or len(found) != len(self):
            raise SondeError(
                f"The rows of the token task were read from {self.origin.model} "
                f"({self.origin.model_fingerprint}); {found.origin.model} "
                f"({found.origin.model_fingerprint}) gives others.",
                fix="Run the token task again.",
            )
        return found.tensors


def read_rows(rows: TokenRows, facts: TokenTaskFacts, source: Source) -> TokenActivations:
    """Run the model once over the chunks and keep the rows, at every hook point.

    Rows with NaN or Inf are left out and listed.

    Raises:
        SondeError: too many rows are not finite, or a hook point does not exist.
    """
    found = _run(source.load(), rows, source)
    if len(found) < len(rows):
        there = set(zip(found.rows.example.tolist(), found.rows.token.tolist(), strict=True))
        names = np.array(rows.names)[rows.chunk].tolist()
        kept = [one in there for one in zip(names, rows.token.tolist(), strict=True)]
        rows = rows.keeping(np.array(kept))
        facts = facts.model_copy(update={"rows": len(rows), "rows_positive": int(rows.label.sum())})
    origin = found.origin.model_copy(update={"data_fingerprint": rows.fingerprint})
    return TokenActivations(rows, facts, origin, source, found.skipped).hold(found.tensors)


def _run(model: Model, rows: TokenRows, source: Source) -> ActivationsInMemory:
    settings = source.settings
    layers = list(settings.layers) if isinstance(settings.layers, tuple) else settings.layers
    chosen = settings.hooks if isinstance(settings.hooks, str) else list(settings.hooks)
    hooks = tuple(sorted(set(model.hook_points(chosen, layers)), key=lambda hook: hook.depth))
    job = Job(model, rows.prepared(), hooks, (), settings)
    origin = Origin(
        model=model.info.name,
        revision=model.info.revision or "",
        model_fingerprint=model.info.fingerprint,
        dtype=str(model.dtype).removeprefix("torch."),
        template="none",
        data_fingerprint=rows.fingerprint,
        hooks=tuple(str(hook) for hook in hooks),
        positions=tuple(str(position) for position in settings.wanted),
        sonde_version=sonde.__version__,
    )
    plan = plan_batches(job.prepared.lengths, token_budget=token_budget(job))
    return in_memory(ActivationStream(job, plan, origin, source.progress))


def token_task(
    model: Model,
    settings: TokenTaskSettings | None = None,
    *,
    seed: int = 0,
    progress: bool = True,
    **given: Any,
) -> TokenActivations:
    """Read activations at tokens that are, or come before, one of a set, and at as many others.

    The settings' keys may be given as keywords: ``token_task(model, texts="books", tokens=" the")``
    returns activations whose ``labels`` a probe fits: ``probes.logistic(acts, acts.labels)``.

    Raises:
        SondeError: a setting is wrong, the folder has no text, or as ``asked_of``,
            ``pick_rows`` and ``read_rows``.
    """
    base = settings.model_dump() if settings else {}
    chosen = validated(TokenTaskSettings, base | given, where="The token task's settings")
    texts = read_texts_of(chosen.texts)
    asked = asked_of(model.tokenizer, model.info.context, texts, chosen, seed=seed)
    return read_rows(
        *pick_rows(asked, chosen, seed=seed), Source(lambda: model, chosen.reading(), progress)
    )
