"""The streamed form of an extraction: batches of activations, in bounded memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import sonde
from sonde.activations.activations import Origin, Skipped
from sonde.activations.budgets import default_budget, learnt_budget
from sonde.activations.passes import ActivationBatch, Dropped, Job, Passes, skipped_of
from sonde.activations.plan import BatchPlan, plan_batches
from sonde.activations.prepare import prepare
from sonde.activations.settings import ExtractSettings, extract_settings
from sonde.core.edits import Edit, Scope
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.core.progress import progress as show_progress
from sonde.data.examples import Example, as_examples, data_fingerprint
from sonde.models.model import Model
from sonde.models.render import template_used


class ActivationStream:
    """Batches of activations that are computed as they are asked for, and then forgotten.

    Iterate over it as often as needed: each time runs the passes again. ``skipped`` is complete
    after an iteration has ended.
    """

    def __init__(self, job: Job, plan: BatchPlan, origin: Origin, progress: bool) -> None:
        self._job = job
        self._plan = plan
        self._progress = progress
        self._dropped: list[Dropped] = []
        self.origin = origin

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points of every batch, in the order of the forward pass."""
        return self._job.hooks

    @property
    def job(self) -> Job:
        """What is run."""
        return self._job

    @property
    def plan(self) -> BatchPlan:
        """The batches, as far as they are known to fit."""
        return self._plan

    @property
    def n_rows(self) -> int:
        """Rows of all batches, those that will be dropped included."""
        return self._job.prepared.n_rows

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Inputs that gave no activations so far, and why."""
        return skipped_of(self._job.prepared, self._plan, self._dropped)

    def __iter__(self) -> Iterator[ActivationBatch]:
        """Run the passes, longest examples first."""
        self._dropped = []
        passes = Passes(self._job, self._plan, self._keep)
        with show_progress("extracting", self._plan.tokens, show=self._progress) as advance:
            for batch in passes:
                self._dropped += batch.dropped
                yield batch
                advance(batch.tokens)

    def only(self, hooks: Sequence[HookPoint]) -> "ActivationStream":
        """Return the stream of some of the hook points; its passes end at the deepest of them.

        Raises:
            SondeError: a hook point is not one of the stream's.
        """
        absent = [str(hook) for hook in hooks if hook not in self.hooks]
        if absent or not hooks:
            raise SondeError(
                f"The stream does not read {', '.join(absent) or 'no hook point at all'}.",
                fix=f"It reads {', '.join(map(str, self.hooks))}.",
            )
        job = replace(self._job, hooks=tuple(hook for hook in self.hooks if hook in hooks))
        return ActivationStream(job, self._plan, self.origin, self._progress)

    def _keep(self, plan: BatchPlan) -> None:
        self._plan = plan


def stream(
    model: Model,
    data: Sequence[Example] | Sequence[str],
    settings: ExtractSettings | None = None,
    *,
    edits: Sequence[Edit] = (),
    progress: bool = True,
    **keywords: Any,
) -> ActivationStream:
    """Extract activations batch by batch, without keeping them.

    Takes what :func:`sonde.activations.extract` takes. Memory does not grow with the data, apart
    from its tokens.

    Raises:
        SondeError: see :func:`sonde.activations.extract`.
    """
    job, origin = make_job(model, data, extract_settings(settings, keywords), edits)
    plan = plan_batches(job.prepared.lengths, token_budget=token_budget(job))
    return ActivationStream(job, plan, origin, progress)


def make_job(
    model: Model,
    data: Sequence[Example] | Sequence[str],
    settings: ExtractSettings,
    edits: Sequence[Edit],
) -> tuple[Job, Origin]:
    """Resolve hook points, render the data and say where the activations come from.

    Raises:
        SondeError: the data, a hook point, a layer, a position or an edit does not fit.
    """
    examples = as_examples(data)
    layers = list(settings.layers) if isinstance(settings.layers, tuple) else settings.layers
    chosen = settings.hooks if isinstance(settings.hooks, str) else list(settings.hooks)
    hooks = tuple(sorted(set(model.hook_points(chosen, layers)), key=lambda hook: hook.depth))
    kept = settings.dtype or str(model.dtype).removeprefix("torch.")
    origin = Origin(
        model=model.info.name,
        revision=model.info.revision or "",
        model_fingerprint=model.info.fingerprint,
        n_layers=model.info.n_layers,
        dtype=kept,
        template=template_used(model.tokenizer, examples, settings.template),
        data_fingerprint=data_fingerprint(examples),
        hooks=tuple(str(hook) for hook in hooks),
        positions=tuple(str(position) for position in settings.wanted),
        edits=describe_edits(edits),
        sonde_version=sonde.__version__,
    )
    prepared = prepare(model, examples, settings)
    if not prepared.n_rows:
        reasons = {f"{each.reason} ({each.detail})" for each in prepared.skipped[:3]}
        raise SondeError(f"None of the {len(examples)} examples is left: {'; '.join(reasons)}")
    return Job(model, prepared, hooks, tuple(edits), settings), origin


def token_budget(job: Job) -> int:
    """Return the budget asked for, or the device's, lowered by what earlier runs learnt."""
    if job.settings.token_budget is not None:
        return job.settings.token_budget
    model = job.model
    budget = default_budget(model.device, _bytes_per_token(job))
    learnt = learnt_budget(model.info.fingerprint, model.device, len(job.hooks))
    return budget if learnt is None else min(budget, learnt)


def _bytes_per_token(job: Job) -> int:
    """Estimate what a token of a pass takes on the device, in bytes.

    About forty vectors of width ``d_model`` live at once inside a block (the MLP's inner width is
    up to eight of them, twice or three times), and captured rows stay until the pass ends.
    """
    info, prepared = job.model.info, job.prepared
    vector = info.d_model * job.model.dtype.itemsize
    captured = len(job.hooks) * prepared.n_rows / max(1, int(prepared.lengths.sum()))
    return int(vector * (40 + captured))


def describe_edits(edits: Sequence[Edit]) -> str:
    """Name edits by kind, place and a hash of their tensors: empty without edits.

    Raises:
        SondeError: an edit differs between the rows of a batch, which an extraction makes anew.
    """
    return "; ".join(_describe(edit) for edit in edits)


def _describe(edit: Edit) -> str:
    digest = hashlib.sha256()
    for item in fields(edit):
        value = getattr(edit, item.name)
        if isinstance(value, Scope):
            per_row = value.rows is not None or value.tokens is not None
        elif hasattr(value, "ndim"):
            per_row = value.ndim > (0 if item.name in ("scale", "low", "high") else 1)
            per_row = per_row and item.name != "matrix"
            digest.update(item.name.encode() + value.detach().float().cpu().numpy().tobytes())
        else:
            per_row = False
            digest.update(f"{item.name}={value}".encode())
        if per_row:
            raise SondeError(
                f"The edit at {edit.hook} differs between the rows of a batch ({item.name}).",
                fix="An extraction batches examples by length; give edits that hold for all, or "
                "call sonde.models.forward with a batch of your own.",
            )
    return f"{type(edit).__name__.lower()} {edit.hook} {digest.hexdigest()[:12]}"
