"""Executes a plan: trains its groups, of any kind of run, and stores every run.

The host advances a group in segments of about a second, so that it can report
progress, save unfinished runs and stop; segments change nothing about the
result.
"""

import dataclasses
import functools
import math
import os
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
from toymono.cli import counted
from toymono.config import stack, unstack
from toymono.files import BrokenRun
from toymono.job import Job
from toymono.sweep import devices, unfinished
from toymono.sweep.locks import Locks
from toymono.sweep.plan import Group, Plan

# Our choices.
_SEGMENT_SECONDS = 1.0
_POLL_SECONDS = 0.5

Report = Callable[[int, float], None]
"""`(units, mean loss)` of one group, called after each segment."""


def run_plan(
    plan: Plan,
    runs_dir: str | Path,
    report: Callable[[int, int, float], None] = lambda group, units, loss: None,
    stopped: Callable[[], bool] = lambda: False,
    save_every: float | None = None,
) -> Iterator[Any]:
    """Trains the plan's groups, stores each run and yields it.

    Runs that another process is training are skipped; at the end this process
    waits for them and trains those whose process ended. Runs whose parents are
    neither stored nor trained by any process are skipped with a warning.

    Args:
      plan: From `plan.make`.
      runs_dir: Where runs are stored.
      report: Called after each segment with the group's index, the steps or
        epochs taken in it, summed over runs, and the mean loss of the runs that
        have not diverged.
      stopped: Called once after each segment and each group; True ends the
        training. Unfinished runs are saved, and a plan made of the same jobs
        continues from there.
      save_every: Seconds of training after which unfinished runs are saved too;
        None for a minute, or longer where saving would take more than 1 % of the
        time.

    Raises:
      OSError: A finished run, or an unfinished one at a stop, cannot be saved.
    """
    timer = unfinished.Timer(save_every)
    with Locks(runs_dir) as locks:
        waiting, lost = False, set()
        left = [(index, group, group.jobs) for index, group in enumerate(plan.groups)]
        while left:
            later = []
            planned = {job.name for *_, jobs in left for job in jobs}
            for index, group, jobs in left:
                if reason := _lost_parent(locks, jobs[0], runs_dir, planned, lost):
                    warnings.warn(_cannot_start(jobs, reason), stacklevel=2)
                    lost.update(job.name for job in jobs)
                    continue
                if not all(map(os.path.lexists, store.parent_paths(runs_dir, jobs[0]))):
                    later.append((index, group, jobs))
                    continue
                mine, elsewhere = _acquired(locks, jobs, runs_dir)
                if elsewhere:
                    later.append((index, group, elsewhere))
                report_group = functools.partial(report, index)
                if trained := len(jobs) - len(mine) - len(elsewhere):
                    report_group(trained * jobs[0].config.steps, math.nan)
                if not mine:
                    continue
                try:
                    group = _with_parents(dataclasses.replace(group, jobs=mine), runs_dir)
                except (BrokenRun, ValueError) as error:
                    warnings.warn(_cannot_start(mine, error), stacklevel=2)
                    lost.update(job.name for job in mine)
                    locks.release(mine)
                    continue
                for part in unfinished.parts(group, runs_dir):
                    yield from _train(part, runs_dir, report_group, stopped, timer)
                    if stopped():
                        return
                locks.release(mine)
            if later == left:
                if not waiting:
                    runs = counted(sum(len(jobs) for *_, jobs in left), "run")
                    warnings.warn(
                        f"waiting for {runs} that other processes are training, or whose parents "
                        "they are training; press Ctrl-C to stop",
                        stacklevel=2,
                    )
                waiting = True
                time.sleep(_POLL_SECONDS)
                if stopped():
                    return
            left = later


def _lost_parent(
    locks: Locks, job: Job, runs_dir: str | Path, planned: set[str], lost: set[str]
) -> str | None:
    """Why a parent of a job will never be stored; None if all are stored or being trained."""
    for name, path in zip(job.parents, store.parent_paths(runs_dir, job), strict=True):
        if name in lost:
            return "a parent could not start"
        trained = name in planned or locks.is_held(name)
        # The file last: another process stores a run before it releases the lock.
        if not trained and not os.path.lexists(path):
            return f"its parent {name} is not stored, and no process trains it"
    return None


def _cannot_start(jobs: Sequence[Job], reason: object) -> str:
    names = ", ".join(job.name for job in jobs)
    return f"run{'s' * (len(jobs) > 1)} {names} cannot start: {reason}"


def _with_parents(group: Group, runs_dir: str | Path) -> Group:
    """The group with the world and models of its parents as shared data.

    Raises:
      BrokenRun: A parent cannot be read.
      ValueError: The runs cannot start from these parents.
    """
    job = group.jobs[0]
    if not job.parents:
        return group
    runs = [store.load(path) for path in store.parent_paths(runs_dir, job)]
    return dataclasses.replace(group, shared=job.kind.gather(job.config, runs))


def _acquired(
    locks: Locks, jobs: Sequence[Job], runs_dir: str | Path
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs that this process trains now, locked, and those that others are training."""
    mine, elsewhere = [], []
    for job in jobs:
        if not locks.acquire(job):
            elsewhere.append(job)
        elif os.path.lexists(store.path(runs_dir, job)):  # trained since the plan was made
            locks.release([job])
        else:
            mine.append(job)
    return tuple(mine), tuple(elsewhere)


def _train(
    part: unfinished.Part,
    runs_dir: str | Path,
    report: Report,
    stopped: Callable[[], bool],
    timer: unfinished.Timer,
) -> list[Any]:
    group = part.group
    jobs, lanes = group.jobs, group.lanes
    kind, config = jobs[0].kind, jobs[0].config
    padded = devices.pad_to_devices(jobs, lanes)
    hyperparams = stack([job.hyperparams for job in padded]).checked()
    keys = stack([job.key for job in padded])
    begin = functools.partial(devices.begin, kind, lanes, config)
    advance = functools.partial(
        devices.advance, kind, lanes, config, limits=kind.limits(config, hyperparams)
    )
    world, state = begin(hyperparams, group.shared, keys)
    state, snapshots = unfinished.restore(part, len(padded) - len(jobs), state, kind)
    report(_taken(state) * len(jobs), math.nan)

    segment = 1
    timer.restart()
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
        # Evaluate once: if the answer changed between two calls, training would stop unsaved.
        stop = stopped()
        if taken + units < config.steps:
            save = functools.partial(unfinished.save, jobs, runs_dir, state, snapshots)
            if stop:
                save()
                return []
            timer.save_if_due(save, sum(leaf.nbytes for leaf in jax.tree.leaves(state)))

    history = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *snapshots)
    runs = kind.finish(config, hyperparams, group.shared, keys, world, history, state)
    # To the host first: on a device, each array of each run would be a separate slice.
    trained = unstack(jax.device_get(runs))[: len(jobs)]
    if jobs[0].parents:
        trained = [run.replace(parents=jobs[0].parents) for run in trained]
    for job, run in zip(jobs, trained, strict=True):
        store.save(runs_dir, run, job)
    return trained


def _taken(state: Any) -> int:
    """Steps or epochs that a group has taken, the same for all its runs."""
    return int(state.step[0])


@jax.jit
def _mean_loss(
    loss_rt: Float[Array, "r t"], start: Int[Array, ""] | int, end: Int[Array, ""] | int
) -> Float[Array, " r"]:
    """Mean of each run's loss over steps `start` to `end - 1`, computed on the devices."""
    step_t = jnp.arange(loss_rt.shape[1])
    wanted_t = (start <= step_t) & (step_t < end)
    return jnp.where(wanted_t[None], loss_rt, 0).sum(axis=1) / (end - start)
