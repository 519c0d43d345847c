"""Unfinished runs: saved one by one, and continued in whatever group they are next planned in."""

import itertools
import operator
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from toymono import store
from toymono.config import unstack
from toymono.files import BrokenRun
from toymono.job import KEY_IMPL, Job
from toymono.store.format import broken
from toymono.sweep.plan import Group

Tensors = dict[str, Any]

# Our choices: a kill loses a minute, and saving takes at most this share of the time; until
# a save was measured, it is assumed to write no faster than this.
_SAVE_SECONDS, _SAVE_SHARE, _BYTES_PER_SECOND = 60.0, 0.01, 100e6


class Part(NamedTuple):
    """Runs of a group that have taken the same number of steps."""

    group: Group
    step: int
    saved: tuple[Tensors, ...]
    """Saved arrays of each run; empty if the runs start from the beginning."""


def parts(group: Group, runs_dir: str | Path) -> list[Part]:
    """The group, split by the step at which its runs were last saved.

    A file that cannot be read is reported in a warning, and its run starts from the
    beginning.
    """
    found = [(*_saved(group, runs_dir, job), job) for job in group.jobs]
    found.sort(key=operator.itemgetter(0))
    split = []
    for step, members in itertools.groupby(found, key=operator.itemgetter(0)):
        _, saved, jobs = zip(*members, strict=True)
        split.append(Part(Group(jobs, group.shared), step, saved if step else ()))
    return split


def _saved(group: Group, runs_dir: str | Path, job: Job) -> tuple[int, Tensors]:
    try:
        step = store.partial_step(runs_dir, job)
        if step == 0:
            return 0, {}
        tensors = store.load_partial(runs_dir, job, _like(group, step))
        if int(tensors["['state'].step"]) != step:
            raise broken(
                store.partial_path(runs_dir, job), "its state has another step than its header"
            )
    except BrokenRun as error:
        if os.path.lexists(
            store.partial_path(runs_dir, job)
        ):  # or another process has just finished the run
            warnings.warn(f"training from the start: {error}", stacklevel=2)
        return 0, {}
    return step, tensors


def _like(group: Group, step: int) -> Tensors:
    """Shapes of the saved arrays of a run after `step` steps."""
    job = group.jobs[0]
    kind, config = job.kind, job.config

    def progress(key: Any) -> Tensors:
        _, state = kind.begin(config, job.hyperparams.checked(), group.shared, key)
        passed = sum(count <= step for count in config.snapshot_steps)
        snapshots = [kind.snapshot(state)] * passed
        return _named(_with_key_words({"state": state, "snapshots": snapshots}))

    return jax.eval_shape(progress, job.key)


def restore(part: Part, padding: int, state: Any, kind: Any) -> tuple[Any, list[Any]]:
    """The state and snapshots of a part; those given if it starts from the beginning.

    Args:
      part: From `parts`.
      padding: Copies of its last run that pad the group.
      state: Untrained state of the padded runs, `[r …]`.
      kind: Kind of the runs.
    """
    if not part.saved:
        return state, []
    saved = [*part.saved, *[part.saved[-1]] * padding]
    passed = sum(count <= part.step for count in part.group.jobs[0].config.snapshot_steps)
    like = _with_key_words({"state": state, "snapshots": [kind.snapshot(state)] * passed})
    leaves = [np.stack([tensors[name] for tensors in saved]) for name in _named(like)]
    progress = jax.tree.unflatten(jax.tree.structure(like), leaves)
    restored = progress["state"]
    key = jax.random.wrap_key_data(restored.key, impl=KEY_IMPL)
    return restored.replace(key=key), progress["snapshots"]


def save(jobs: Sequence[Job], runs_dir: str | Path, state: Any, snapshots: list[Any]) -> None:
    """Saves each unfinished run to a file of its own, so that any later group can continue it.

    Raises:
      OSError: A file cannot be written.
    """
    progress = jax.device_get({"state": state, "snapshots": snapshots})
    # The copies that pad the group come last and are not saved.
    for job, of_job in zip(jobs, unstack(_with_key_words(progress)), strict=False):
        step = int(of_job["state"].step)
        store.save_partial(runs_dir, job, step, _named(of_job))


class Timer:
    """Saves unfinished runs from time to time.

    Args:
      every: Seconds between saves; None for a minute, or longer where saving
        would take more than 1 % of the time.
    """

    def __init__(self, every: float | None):
        self._every, self._took = every, 0.0
        self.restart()

    def restart(self) -> None:
        """Counts from now on, as at the start of a group."""
        self._last = time.monotonic()

    def save_if_due(self, save: Callable[[], None], size: int) -> None:
        """Calls `save` if it is due; a failure is a warning, since training can continue.

        Args:
          save: Saves the unfinished runs.
          size: Bytes that it writes, about; the first save is not measured yet.
        """
        start = time.monotonic()
        if start - self._last < (self._pause(size) if self._every is None else self._every):
            return
        try:
            save()
        except OSError as error:
            warnings.warn(
                f"unfinished runs could not be saved, training continues: {error}", stacklevel=2
            )
        self._last = time.monotonic()
        self._took = self._last - start

    def _pause(self, size: int) -> float:
        expected = max(self._took, size / _BYTES_PER_SECOND)
        return max(_SAVE_SECONDS, expected / _SAVE_SHARE)


def _with_key_words(progress: dict[str, Any]) -> dict[str, Any]:
    """The progress with its PRNG key as uint32 data, which safetensors can store."""
    state = progress["state"]
    return {**progress, "state": state.replace(key=jax.random.key_data(state.key))}


def _named(tree: Any) -> Tensors:
    """The tree's arrays by their key path."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
