"""Writing a store: begin or go on, shard by shard, so that a killed run loses one shard at most."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from sonde.activations import manifest as m
from sonde.activations.origin import Origin
from sonde.activations.passes import Dropped, Job, Passes, refuse_nothing, skipped_of
from sonde.activations.plan import BatchPlan, plan_batches, plan_from_json, plan_to_json
from sonde.activations.sealed import read_sealed, write_sealed
from sonde.activations.shards import SHARD_BYTES, ShardBuffer, write_shard
from sonde.activations.streaming import token_budget
from sonde.activations.tables import write_rows, write_skipped
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.progress import progress as show_progress
from sonde.models.model import ModelInfo

# A difference in one of these makes another store. The version of sonde and the model's name are
# recorded, but the fingerprint decides whether the weights are the same.
IDENTITY = {
    "model_fingerprint": "model",
    "revision": "revision",
    "dtype": "dtype",
    "template": "template",
    "data_fingerprint": "data",
    "hooks": "hooks",
    "positions": "positions",
    "edits": "edits",
}


def write_store(folder: Path, job: Job, origin: Origin, *, progress: bool = True) -> None:
    """Extract into ``folder``, or go on there; a store that is complete is left as it is.

    Raises:
        SondeError: the folder holds something else, a damaged store, or one of another model,
            revision, data or settings; another process is writing it; the disk is full; too many
            rows are not finite; nothing is left to extract.
    """
    _refuse_other_content(folder)
    with m.locked(folder):
        for path in folder.rglob(".*.tmp"):
            if m.is_temporary(path):
                path.unlink()
        manifest, plan = _begin_or_go_on(folder, job, origin)
        if not manifest.complete:
            _Writer(folder, job, manifest, plan).run(progress)


def _refuse_other_content(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SondeError(f"{folder} is a file.", fix="Choose a folder for the store.")
    if not folder.exists() or (folder / m.MANIFEST).exists():
        return
    ours = {m.LOCK, m.PLAN}
    other = sorted(
        path.name for path in folder.iterdir() if path.name not in ours and not m.is_temporary(path)
    )
    if other:
        raise SondeError(
            f"{folder} holds {other[0]} and no store of activations.",
            fix="Choose an empty or a new folder.",
        )


def _begin_or_go_on(folder: Path, job: Job, origin: Origin) -> tuple[m.Manifest, BatchPlan]:
    rules = {
        "too_long": job.settings.too_long,
        "missing_position": job.settings.missing_position,
    }
    if (folder / m.MANIFEST).exists():
        manifest = m.read_manifest(folder)
        _refuse_another(folder, manifest, origin, rules)
        plan = _read_plan(folder, job)
        return _without_missing(folder, manifest), plan
    shapes = _shapes(job.hooks, job.model.info)
    plan = plan_batches(
        job.prepared.lengths,
        token_budget=token_budget(job),
        rows=np.diff(job.prepared.rows),
        rows_per_shard=_rows_per_shard(shapes, origin.dtype),
    )
    manifest = m.Manifest(
        origin=origin,
        rules=rules,
        examples=len(job.prepared.examples),
        truncated=job.prepared.truncated,
        shape={str(hook): shape for hook, shape in shapes.items()},
        shards=(None,) * len(plan.shards),
    )
    write_sealed(folder / m.PLAN, plan_to_json(plan), indent=None)
    m.write_manifest(folder, manifest)
    return manifest, plan


def _shapes(hooks: Sequence[HookPoint], info: ModelInfo) -> dict[HookPoint, tuple[int, ...]]:
    return {
        hook: (info.n_heads, info.d_head) if hook.site is Site.HEAD_OUT else (info.d_model,)
        for hook in hooks
    }


def _rows_per_shard(shapes: Mapping[HookPoint, tuple[int, ...]], dtype: str) -> int:
    numbers = sum(int(np.prod(shape)) for shape in shapes.values())
    return max(1, SHARD_BYTES // (numbers * getattr(torch, dtype).itemsize))


def _refuse_another(
    folder: Path, manifest: m.Manifest, origin: Origin, rules: Mapping[str, str]
) -> None:
    """Refuse to go on with a store that was made in another way, and say what differs."""
    differ: list[str] = []
    for key, word in IDENTITY.items():
        before, now = getattr(manifest.origin, key), getattr(origin, key)
        if before != now:
            if key == "model_fingerprint":
                before = f"{manifest.origin.model} ({before})"
                now = f"{origin.model} ({now})"
            differ.append(f"{word} was {_short(before)} and is {_short(now)}")
    differ += [
        f"{key} was {manifest.rules.get(key)} and is {now}"
        for key, now in rules.items()
        if manifest.rules.get(key) != now
    ]
    if differ:
        raise SondeError(
            f"The store {folder} was made in another way: {'; '.join(differ)}.",
            fix="Choose another folder, or delete this one.",
        )


def _short(value: object) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f"{text[:60]}…" if len(text) > 60 else text or "none"


def _read_plan(folder: Path, job: Job) -> BatchPlan:
    plan = plan_from_json(
        read_sealed(folder / m.PLAN, f"Without its plan {folder} cannot go on: delete the folder.")
    )
    if not np.array_equal(plan.lengths, job.prepared.lengths):
        raise SondeError(
            f"The store {folder} was made with other tokens: the same data now has "
            f"{int(job.prepared.lengths.sum()):,} instead of {int(plan.lengths.sum()):,}.",
            fix="The tokenizer or its template changed. Choose another folder.",
        )
    return plan


def _without_missing(folder: Path, manifest: m.Manifest) -> m.Manifest:
    """Check what is there, and mark shards as unfinished whose files are missing.

    Raises:
        SondeError: a file was truncated or altered.
    """
    missing = {name for name in manifest.expected() if not (folder / name).exists()}
    for name, record in manifest.expected().items():
        # A complete store is only measured here: reading it checks the content.
        content = not manifest.complete or bool(missing)
        if name not in missing and name != m.PLAN:
            problem = m.problem_with(folder, name, record, content=content)
            if problem:
                raise SondeError(problem, fix=m.REMAKE)
    if not missing:
        return manifest
    shards = tuple(
        None if shard is None or missing & set(shard.files) else shard for shard in manifest.shards
    )
    changed = manifest.model_copy(
        update={"shards": shards, "complete": False, "files": {}, "skipped": 0}
    )
    m.write_manifest(folder, changed)
    return changed


class _Writer:
    """Runs the shards that are missing; one thread writes a shard while the next is computed."""

    def __init__(self, folder: Path, job: Job, manifest: m.Manifest, plan: BatchPlan) -> None:
        self._folder = folder
        self._job = job
        self._manifest = manifest
        self._passes = Passes(job, plan, self._write_plan)

    def run(self, progress: bool) -> None:
        """Make every missing shard, then the tables, then the final manifest."""
        plan = self._passes.plan
        todo = [k for k, shard in enumerate(self._manifest.shards) if shard is None]
        self._passes.count_nonfinite(self._dropped())
        left = sum(int(plan.lengths[plan.members_of_shard(k)].sum()) for k in todo)
        shown = show_progress("extracting", plan.tokens, done=plan.tokens - left, show=progress)
        buffers = ShardBuffer(), ShardBuffer()
        with ThreadPoolExecutor(1, "sonde-store") as pool, shown as advance:
            writing: Future[None] | None = None
            for turn, number in enumerate(todo):
                buffer = buffers[turn % 2]
                buffer.start()
                dropped: list[Dropped] = []
                for batch in self._passes.shard(number):
                    buffer.add(batch.tensors)
                    dropped += batch.dropped
                    advance(batch.tokens)
                if writing is not None:
                    writing.result()
                writing = pool.submit(self._write_shard, number, buffer, tuple(dropped))
            if writing is not None:
                writing.result()
        self._finish()

    def _write_plan(self, plan: BatchPlan) -> None:
        write_sealed(self._folder / m.PLAN, plan_to_json(plan), indent=None)

    def _write_shard(self, number: int, buffer: ShardBuffer, dropped: tuple[Dropped, ...]) -> None:
        origin = self._manifest.origin
        dtype = getattr(torch, origin.dtype)
        tensors = buffer.rows(_shapes(self._job.hooks, self._job.model.info), dtype)
        record = write_shard(self._folder, number, tensors, origin)
        shards = list(self._manifest.shards)
        shards[number] = record.model_copy(update={"dropped": dropped})
        self._manifest = self._manifest.model_copy(update={"shards": tuple(shards)})
        m.write_manifest(self._folder, self._manifest)

    def _dropped(self) -> list[Dropped]:
        shards = self._manifest.shards
        return [drop for shard in shards if shard is not None for drop in shard.dropped]

    def _finish(self) -> None:
        plan, prepared, folder = self._passes.plan, self._job.prepared, self._folder
        dropped = self._dropped()
        gone = np.array([row for row, _ in dropped], np.int64)
        kept = [prepared.rows_of(plan.members_of_shard(shard)) for shard in range(len(plan.shards))]
        numbers = np.concatenate(kept)
        numbers = numbers[~np.isin(numbers, gone)]
        skipped = skipped_of(prepared, plan, dropped)
        refuse_nothing(len(numbers), skipped)
        write_rows(folder / m.ROWS, prepared, numbers)
        write_skipped(folder / m.SKIPPED, skipped)
        names = (m.PLAN, m.ROWS, m.SKIPPED)
        self._manifest = self._manifest.model_copy(
            update={
                "complete": True,
                "skipped": len(skipped),
                "files": {name: m.record_of(folder / name) for name in names},
            }
        )
        m.write_manifest(folder, self._manifest)
