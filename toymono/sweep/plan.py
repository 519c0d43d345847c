"""From a grid of settings to kept runs: what is still to train, at what cost, and doing it.

Runs of one `Config` train together, in groups as large as memory allows. The
host advances a group in segments of about a second, so that it can report,
keep the state and stop; the segments change nothing about the result.
"""

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toymono import catalog, store
from toymono.config import Config, Hyperparams, split, stack, unstack
from toymono.models import Model
from toymono.sweep import devices
from toymono.train import Run, State

# Our choices. A CPU is fastest while a group stays near its caches, as
# benchmarks/results.md shows; a GPU's memory is what it has.
_CPU_GROUP_BYTES = 2**25
_GPU_MEMORY_SHARE = 0.5
_SEGMENT_SECONDS = 1.0
_SAVE_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Job:
    """One run to be."""

    config: Config
    hyperparams: Hyperparams
    seed: int

    @property
    def name(self) -> str:
        """The name that its run will have in the store."""
        return store.name(self.config, self.hyperparams, self.seed)

    def path(self, runs_dir: str | Path) -> Path:
        """Where its run is, or will be, kept."""
        return store.path(runs_dir, self.config, self.hyperparams, self.seed)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep asks for, and how the rest of it will be trained."""

    jobs: tuple[Job, ...]
    """Every run asked for, each once."""
    groups: tuple[tuple[Job, ...], ...]
    """Those not kept yet that are this process's to train; a group's runs share a Config."""

    kept: int
    """How many of the jobs are kept already."""

    @property
    def to_train(self) -> int:
        """Runs that are this process's to train."""
        return sum(map(len, self.groups))


def make(jobs: Iterable[Job], runs_dir: str | Path, group_size: int | None = None) -> Plan:
    """Leaves out what is kept and groups the rest; `group_size=None` chooses by memory."""
    by_name = {job.name: job for job in jobs}
    kept = {name for name, job in by_name.items() if job.path(runs_dir).exists()}
    # All are shared out, kept or not: another process may just be keeping some.
    share = devices.share(list(by_name.values()))
    missing = [job for job in share if job.name not in kept]
    by_config: dict[Config, list[Job]] = {}
    for job in missing:
        by_config.setdefault(job.config, []).append(job)
    groups = []
    for config, members in by_config.items():
        # A group samples at the pace of its least sparse run: like with like.
        members.sort(key=lambda job: job.hyperparams.eps)
        # Groups as equal as can be, so that at most two sizes are compiled.
        count = math.ceil(len(members) / (group_size or auto_group_size(config)))
        bounds = [len(members) * part // count for part in range(count + 1)]
        groups += [tuple(members[start:end]) for start, end in itertools.pairwise(bounds)]
    return Plan(tuple(by_name.values()), tuple(groups), len(kept))


def places(sweep: str, scale: str, **changed: Any) -> dict[str, int]:
    """The settings of a sweep of the catalog, as in `StoredRun.setting`, and their places in it.

    Args:
      sweep: Its name.
      scale: One of `catalog.SCALES`.
      changed: Fields that replace the sweep's own.

    Raises:
      ValueError: The catalog has no such sweep.
    """
    points = enumerate(catalog.points([sweep], scale, **changed))
    return {store.name(*split(point), seed=0): place for place, point in points}


def auto_group_size(config: Config) -> int:
    """Runs that train together by default on this process's devices."""
    memory = jax.local_devices()[0].memory_stats()
    limit = memory["bytes_limit"] * _GPU_MEMORY_SHARE if memory else _CPU_GROUP_BYTES
    return jax.local_device_count() * max(1, int(limit // training_bytes(config)))


def parameters(config: Config) -> int:
    """Weights and biases of a model."""
    return config.m * config.k + config.k + config.k * config.o


def step_flops(config: Config) -> int:
    """Floating-point operations of a training step's matrix products."""
    embeddings = 2 if config.task == "reproject" else 1
    products = (
        embeddings * config.n * config.m  # the input, and the re-projector's target
        + 2 * config.m * config.k  # forward, weight gradient
        + 3 * config.k * config.o  # forward, weight gradient, gradient of the neurons
    )
    return 2 * config.batch_size * products


def training_bytes(config: Config) -> int:
    """Estimate of the device memory that a run takes while it trains."""
    # The model, its two moments, gradients and updates; then each batch's
    # features, inputs, neurons and outputs with the gradients of the last two.
    batch = config.batch_size * (2 * config.n + config.m + 2 * config.k + 2 * config.o)
    # The penalty's responses, rescaled, and their gradients; `multi_feature` has
    # them twice, and draws an input for each feature. Factors as XLA's own account has them.
    n, k = config.n, config.k
    penalty = {"none": 0, "multi_feature": 7 * n * k + 5 * n * n}.get(config.penalty, 3 * n * k)
    return 4 * (5 * parameters(config) + batch + penalty + config.steps)


def stored_bytes(config: Config) -> int:
    """Size of a run's file, but for its header."""
    embeddings = 2 if config.task == "reproject" else 1
    snapshots = len(config.snapshot_steps) * parameters(config)
    return 4 * (snapshots + embeddings * config.n * config.m + config.steps)


def run_plan(
    plan: Plan,
    runs_dir: str | Path,
    report: Callable[[int, int, float], None] = lambda group, run_steps, loss: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Run]:
    """Trains the plan's groups, keeps each run and yields it.

    Args:
      plan: From `make`.
      runs_dir: Where runs are kept.
      report: Called after each segment with the group's index, the steps taken
        in it, summed over runs, and the mean loss of the runs that have not
        diverged.
      stopped: Asked once after each segment and each group; True ends the
        training. What is unfinished is kept, and a plan made of the same jobs
        goes on from there.
    """
    for index, group in enumerate(plan.groups):
        for part in _by_progress(group, runs_dir):
            yield from _train(part, runs_dir, functools.partial(report, index), stopped)
            if stopped():
                return


def _by_progress(group: Sequence[Job], runs_dir: str | Path) -> list[list[Job]]:
    """The group, parted by how far its runs had come when they were last stopped."""
    parts: dict[int, list[Job]] = {}
    for job in group:
        kept = store.load_partial(runs_dir, job.config, job.hyperparams, job.seed)
        parts.setdefault(0 if kept is None else int(kept["step"]), []).append(job)
    return list(parts.values())


def _train(
    jobs: Sequence[Job],
    runs_dir: str | Path,
    report: Callable[[int, float], None],
    stopped: Callable[[], bool],
) -> list[Run]:
    config, filled = jobs[0].config, devices.fill(jobs)
    hyperparams = stack([job.hyperparams for job in filled]).checked()
    keys = stack([jax.random.key(job.seed, impl=store.KEY_IMPL) for job in filled])
    world, state = devices.begin_many(config, hyperparams, keys)
    state, snapshots = _resume(filled, runs_dir, state)
    report(int(state.step) * len(jobs), math.nan)

    segment, saved = 1, time.monotonic()
    while (step := int(state.step)) < config.steps:
        next_snapshot = config.snapshot_steps[len(snapshots)]
        steps = min(segment, next_snapshot - step)
        start = time.monotonic()
        state = jax.block_until_ready(
            devices.advance_many(config, hyperparams, world, state, steps)
        )
        # At most twice the last: the first segment's time is mostly compilation.
        pace = _SEGMENT_SECONDS / (time.monotonic() - start)
        segment = max(1, min(2 * segment, int(steps * pace)))
        if step + steps == next_snapshot:
            snapshots.append(jax.device_get(state.model))

        loss_r = np.asarray(_mean_loss(state.loss_t, step, step + steps))[: len(jobs)]
        loss_r = loss_r[np.isfinite(loss_r)]
        report(steps * len(jobs), float(loss_r.mean()) if loss_r.size else math.nan)
        # Asked once: a Ctrl-C that comes between two answers would leave nothing kept.
        stop = stopped()
        if stop or time.monotonic() - saved > _SAVE_SECONDS:
            _save_progress(jobs, runs_dir, state, snapshots)
            saved = time.monotonic()
        if stop:
            return []

    kept = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *snapshots)
    # On the host first: a device would cut out each array of each run by itself.
    stacked = jax.device_get(Run(config, hyperparams, keys, world, kept, state.loss_t))
    runs = unstack(stacked)[: len(jobs)]
    for run in runs:
        store.save(runs_dir, run)
    return runs


@jax.jit
def _mean_loss(
    loss_rt: Float[Array, "r t"], start: Int[Array, ""] | int, end: Int[Array, ""] | int
) -> Float[Array, " r"]:
    """Mean of each run's loss over the steps from `start` to before `end`, where the losses are."""
    step_t = jnp.arange(loss_rt.shape[1])
    wanted_t = (start <= step_t) & (step_t < end)
    return jnp.where(wanted_t, loss_rt, 0).sum(axis=1) / (end - start)


def _save_progress(jobs, runs_dir, state: State, snapshots: list[Model]) -> None:
    """Keeps each unfinished run by itself, so that any later grouping can take it up."""
    progress = {
        "model": state.model,
        "optimizer": state.optimizer,
        "loss_t": state.loss_t,
        "snapshots": snapshots,
    }
    # The runs that fill the devices up come last, and are left out.
    for job, of_job in zip(jobs, unstack(jax.device_get(progress)), strict=False):
        of_job = {**_named(of_job), "step": np.asarray(state.step)}
        store.save_partial(runs_dir, job.config, job.hyperparams, job.seed, of_job)


def _resume(jobs, runs_dir, state: State) -> tuple[State, list[Model]]:
    """The state and snapshots that `_save_progress` kept; those given where it kept none."""
    kept = [store.load_partial(runs_dir, job.config, job.hyperparams, job.seed) for job in jobs]
    if kept[0] is None:
        return state, []
    step = int(kept[0]["step"])
    passed = [count for count in jobs[0].config.snapshot_steps if count <= step]
    like = {
        "model": state.model,
        "optimizer": state.optimizer,
        "loss_t": state.loss_t,
        "snapshots": [state.model] * len(passed),
    }
    leaves = [np.stack([tensors[name] for tensors in kept]) for name in _named(like)]
    progress = jax.tree.unflatten(jax.tree.structure(like), leaves)
    snapshots = progress.pop("snapshots")
    return state.replace(**progress, step=jnp.int32(step)), snapshots


def _named(tree: Any) -> dict[str, Any]:
    """The tree's arrays by the names of their places in it."""
    return {jax.tree_util.keystr(place): leaf for place, leaf in jax.tree.leaves_with_path(tree)}
