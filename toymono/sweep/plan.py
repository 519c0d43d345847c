"""From jobs to groups: what is stored already, what is left to train, and in which order."""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from toymono import store
from toymono.job import Job
from toymono.kinds import Cost
from toymono.store import StoredRun
from toymono.sweep import cost, devices


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one config, and of the same parents, that train in one program."""

    jobs: tuple[Job, ...]
    shared: Any
    """Data that all runs of the group read: None, a data set, or their parents' world and models
    (filled in by the trainer)."""

    @functools.cached_property
    def cost(self) -> Cost:
        """Estimated cost of one run of the group."""
        return self.jobs[0].kind.cost(self.jobs[0].config, self.shared)

    @property
    def lanes(self) -> int:
        """Runs that a device trains at a time."""
        return cost.lanes(self.cost)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The runs requested by a sweep, and the groups in which the missing ones are trained."""

    jobs: tuple[Job, ...]
    """Every run requested, each once."""
    groups: tuple[Group, ...]
    """Those not on disk that this process trains."""
    stored: dict[str, StoredRun]
    """Those on disk, by name."""
    blocked: tuple[Job, ...] = ()
    """Runs whose file exists but cannot be read; it is not overwritten."""

    @property
    def to_train(self) -> int:
        """Runs that this process trains."""
        return sum(len(group.jobs) for group in self.groups)


def make(
    jobs: Iterable[Job],
    runs_dir: str | Path,
    group_size: int | None = None,
    data_dir: str | None = None,
) -> Plan:
    """Skips the runs on disk and groups this process's share of the rest by config and parents.

    The share of a process includes the runs that its runs start from, so that it waits
    for no run that it could train itself. Several processes share these; the first to
    lock one trains it.

    Args:
      jobs: What is requested; the same run twice counts once.
      runs_dir: Where runs are stored; it need not exist.
      group_size: Runs of one program; None chooses by the config and the kind of device.
      data_dir: Folder of data sets, for runs that read one from files.

    Raises:
      ValueError: A run that another starts from is neither on disk nor requested, or not of
        its kind, world or shape.
    """
    by_name = {job.name: job for job in jobs}
    exists = Path(runs_dir).is_dir()
    on_disk = store.every(runs_dir) if exists else []
    stored = {run.name: run for run in on_disk if run.name in by_name}
    _check_parents(by_name, {run.name: run for run in on_disk}, runs_dir)
    # All are shared out, stored or not: another process may be storing some right now.
    mine = _with_ancestors(devices.shard(list(by_name.values())), by_name)
    blocked = {
        name: job
        for name, job in by_name.items()
        if exists and name not in stored and os.path.lexists(store.path(runs_dir, job))
    }
    by_program: dict[Any, list[Job]] = {}
    for job in mine:
        if job.name not in stored and job.name not in blocked:
            by_program.setdefault((job.config, job.parents), []).append(job)
    groups = []
    for (config, _), members in by_program.items():
        shared = members[0].kind.shared(config, data_dir)
        size = group_size or cost.group_size(Group(tuple(members), shared).cost)
        # Groups as equal as possible, so that at most two programs are compiled.
        for part in _parts(members, math.ceil(len(members) / size)):
            groups.append(Group(tuple(part), shared))
    return Plan(tuple(by_name.values()), tuple(groups), stored, tuple(blocked.values()))


def _with_ancestors(share: Iterable[Job], by_name: dict[str, Job]) -> list[Job]:
    """The jobs of a share and those that they start from, in the order of `by_name`."""
    names = {job.name for job in share}
    left = list(names)
    while left:
        for parent in by_name[left.pop()].parents:
            if parent in by_name and parent not in names:
                names.add(parent)
                left.append(parent)
    return [job for name, job in by_name.items() if name in names]


def _check_parents(
    by_name: dict[str, Job], on_disk: dict[str, StoredRun], runs_dir: str | Path
) -> None:
    for job in by_name.values():
        found = [on_disk.get(name) or by_name.get(name) for name in job.parents]
        for name, parent in zip(job.parents, found, strict=True):
            if parent is None:
                raise ValueError(f"parent run {name} is neither stored in {runs_dir} nor requested")
        job.kind.check_parents(job, found)


def _parts(members: Sequence[Job], count: int) -> list[Sequence[Job]]:
    bounds = [len(members) * part // count for part in range(count + 1)]
    return [members[start:end] for start, end in itertools.pairwise(bounds)]
