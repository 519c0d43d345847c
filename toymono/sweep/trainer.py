"""Carries a plan out: trains its groups, of any kind of run, and stores every run.

The host advances a group in segments of about a second, so that it can report
progress, save unfinished runs and stop; segments change nothing about the
result.
"""

import functools
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toymono import store
from toymono.config import stack, unstack
from toymono.files import BrokenRun
from toymono.job import Job
from toymono.sweep import devices
from toymono.sweep.plan import Group, Plan

# Our choices.
_SEGMENT_SECONDS = 1.0
_SAVE_SECONDS = 300.0

Report = Callable[[int, float], None]


def run_plan(
    plan: Plan,
    runs_dir: str | Path,
    report: Callable[[int, int, float], None] = lambda group, units, loss: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Any]:
    """Trains the plan's groups, stores each run and yields it.

    Args:
      plan: From `plan.make`.
      runs_dir: Where runs are stored.
      report: Called after each segment with the group's index, the steps or
        epochs taken in it, summed over runs, and the mean loss of the runs that
        have not diverged.
      stopped: Asked once after each segment and each group; True ends the
        training. What is unfinished is saved, and a plan made of the same jobs
        continues from there.
    """
    for index, group in enumerate(plan.groups):
        for part in _by_progress(group, runs_dir):
            yield from _train(part, runs_dir, functools.partial(report, index), stopped)
            if stopped():
                return


def _by_progress(group: Group, runs_dir: str | Path) -> list[Group]:
    """The group, split by how far its runs had come when they were last stopped."""
    steps = [(_step(runs_dir, job), job) for job in group.jobs]
    steps.sort(key=lambda pair: pair[0])
    return [
        Group(tuple(job for _, job in pairs), group.shared)
        for _, pairs in itertools.groupby(steps, key=lambda pair: pair[0])
    ]


def _step(runs_dir: str | Path, job: Job) -> int:
    try:
        return store.partial_step(runs_dir, job)
    except BrokenRun as error:
        warnings.warn(f"training from the start: {error}", stacklevel=2)
        return 0


def _train(
    group: Group, runs_dir: str | Path, report: Report, stopped: Callable[[], bool]
) -> list[Any]:
    jobs, lanes = group.jobs, group.lanes
    kind, config = jobs[0].kind, jobs[0].config
    padded = devices.pad_to_devices(jobs, lanes)
    hyperparams = stack([job.hyperparams for job in padded]).checked()
    keys = stack([job.key for job in padded])
    begin = functools.partial(devices.begin, kind, lanes, config)
    advance = functools.partial(devices.advance, kind, lanes, config)
    world, state = begin(hyperparams, group.shared, keys)
    state, snapshots = _resume(padded, runs_dir, state)
    report(_taken(state) * len(jobs), math.nan)

    segment, saved = 1, time.monotonic()
    while (taken := _taken(state)) < config.steps:
        next_snapshot = config.snapshot_steps[len(snapshots)]
        units = min(segment, next_snapshot - taken)
        start = time.monotonic()
        state = advance(hyperparams, group.shared, world, state, units)
        state = jax.block_until_ready(state)
        # At most twice the last: the first segment's time is mostly compilation.
        pace = _SEGMENT_SECONDS / (time.monotonic() - start)
        segment = max(1, min(2 * segment, int(units * pace)))
        if taken + units == next_snapshot:
            snapshots.append(jax.device_get(kind.snapshot(state)))

        loss_r = np.asarray(_mean_loss(kind.loss(state), taken, taken + units))[: len(jobs)]
        loss_r = loss_r[np.isfinite(loss_r)]
        report(units * len(jobs), float(loss_r.mean()) if loss_r.size else math.nan)
        # Asked once: a Ctrl-C that comes between two answers would leave nothing saved.
        stop = stopped()
        if taken + units < config.steps and (stop or time.monotonic() - saved > _SAVE_SECONDS):
            _save_progress(jobs, runs_dir, state, snapshots)
            saved = time.monotonic()
        if stop and taken + units < config.steps:
            return []

    history = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *snapshots)
    runs = kind.finish(config, hyperparams, group.shared, keys, world, history, state)
    # On the host first: a device would cut out each array of each run by itself.
    trained = unstack(jax.device_get(runs))[: len(jobs)]
    for job, run in zip(jobs, trained, strict=True):
        store.save(runs_dir, run, job)
    return trained


def _taken(state: Any) -> int:
    """Steps or epochs that a group has taken, all its runs alike."""
    return int(state.step[0])


@jax.jit
def _mean_loss(
    loss_rt: Float[Array, "r t"], start: Int[Array, ""] | int, end: Int[Array, ""] | int
) -> Float[Array, " r"]:
    """Mean of each run's loss over the steps from `start` to before `end`, where the losses are."""
    step_t = jnp.arange(loss_rt.shape[1])
    wanted_t = (start <= step_t) & (step_t < end)
    return jnp.where(wanted_t[None], loss_rt, 0).sum(axis=1) / (end - start)


def _save_progress(
    jobs: Sequence[Job], runs_dir: str | Path, state: Any, snapshots: list[Any]
) -> None:
    """Saves each unfinished run by itself, so that any later grouping can continue it."""
    progress = jax.device_get({"state": state, "snapshots": snapshots})
    # The runs that pad the group come last, and are left out.
    for job, of_job in zip(jobs, unstack(_with_key_words(progress)), strict=False):
        step = int(of_job["state"].step)
        store.save_partial(runs_dir, job, step, _named(of_job))


def _resume(jobs: Sequence[Job], runs_dir: str | Path, state: Any) -> tuple[Any, list[Any]]:
    """The state and snapshots that `_save_progress` saved; those given where it saved none."""
    kind, config = jobs[0].kind, jobs[0].config
    step = _step(runs_dir, jobs[0])
    if step == 0:
        return state, []
    passed = [count for count in config.snapshot_steps if count <= step]
    like = _with_key_words({"state": state, "snapshots": [kind.snapshot(state)] * len(passed)})
    saved = [store.load_partial(runs_dir, job) for job in jobs]
    leaves = [np.stack([tensors[name] for tensors in saved]) for name in _named(like)]
    progress = jax.tree.unflatten(jax.tree.structure(like), leaves)
    restored = progress["state"]
    return restored.replace(key=jax.random.wrap_key_data(restored.key)), progress["snapshots"]


def _with_key_words(progress: dict[str, Any]) -> dict[str, Any]:
    """The progress with its key as plain words, which files can hold."""
    state = progress["state"]
    return {**progress, "state": state.replace(key=jax.random.key_data(state.key))}


def _named(tree: Any) -> dict[str, Any]:
    """The tree's arrays by the names of their places in it."""
    return {jax.tree_util.keystr(place): leaf for place, leaf in jax.tree.leaves_with_path(tree)}
